/** Comma-separated values (RFC 4180) as spreadsheets read them: a byte order mark, and no cell that a spreadsheet would run as a formula. */
export const csvOf = (rows: (string | number)[][]): string =>
  '\ufeff' + rows.map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n'

function cell(value: string | number): string {
  const text = /^[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Check digit of a resident identity number (GB 11643-1999, ISO 7064 MOD 11-2). Test numbers follow the same rule. */
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]

export function looksRight(id: string): boolean {
  if (!/^\d{17}[\dXx]$/.test(id)) return false
  const sum = WEIGHTS.reduce((total, weight, i) => total + weight * Number(id[i]), 0)
  return '10X98765432'[sum % 11] === id[17]!.toUpperCase()
}

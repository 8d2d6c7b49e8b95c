/** Dates as people write them. Times are UTC seconds; they are shown in the reader's time zone. */
const options = (locale: string) => (locale.startsWith('zh') ? 'zh-CN' : 'en-GB')

export function day(seconds: number, locale: string, now = Date.now()): string {
  const date = new Date(seconds * 1000)
  const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : ('numeric' as const)
  return date.toLocaleDateString(options(locale), { year, month: locale.startsWith('zh') ? 'long' : 'short', day: 'numeric' })
}

export function moment(seconds: number, locale: string, now = Date.now()): string {
  const time = new Date(seconds * 1000).toLocaleTimeString(options(locale), { hour: '2-digit', minute: '2-digit' })
  return `${day(seconds, locale, now)} ${time}`
}

export const exact = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
export const now = (): number => Math.floor(Date.now() / 1000)
export const DAY = 86_400

/** The end of the day `days` from now, in the reader's time zone. */
export function endOfDay(days: number, from = Date.now()): number {
  const date = new Date(from + days * DAY * 1000)
  date.setHours(23, 59, 59, 0)
  return Math.floor(date.getTime() / 1000)
}

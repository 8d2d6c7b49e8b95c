/** Times on the console: to the second, because order is what is asked; the day only where it is not today. */
const two = (n: number): string => String(n).padStart(2, '0')

export function clock(seconds: number): string {
  const date = new Date(seconds * 1000)
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  const now = new Date()
  if (date.toDateString() === now.toDateString()) return time
  const year = date.getFullYear() === now.getFullYear() ? '' : `${date.getFullYear()}-`
  return `${year}${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

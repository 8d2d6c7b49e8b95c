/** Readings as a person remembers them: one visit of one reader is one occasion, however many records were opened. */
import type { Reading } from '@healthtrust/kit'

export interface Occasion {
  key: string
  /** The newest of them. */
  first: Reading
  /** Newest first; looks at the list alone count only where nothing else was read. */
  records: Reading[]
}

const PAUSE_SECONDS = 30 * 60
const LIST = `0x${'0'.repeat(64)}`

function same(a: Reading, b: Reading): boolean {
  const close = a.time - b.time <= PAUSE_SECONDS
  return (
    close &&
    a.requester === b.requester &&
    a.organisation === b.organisation &&
    a.purpose === b.purpose &&
    a.outcome === b.outcome
  )
}

function closed(readings: Reading[]): Occasion {
  const records = readings.filter((r) => r.record !== LIST)
  return { key: readings[0]!.id, first: readings[0]!, records: records.length ? records : readings.slice(0, 1) }
}

/** `readings` newest first, as the gateway gives them. */
export function occasions(readings: Reading[]): Occasion[] {
  const groups: Reading[][] = []
  for (const reading of readings) {
    const last = groups.find((g) => same(g[g.length - 1]!, reading))
    if (last) last.push(reading)
    else groups.push([reading])
  }
  return groups.map(closed)
}

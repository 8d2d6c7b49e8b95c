/** Events of the chain counted over stretches of blocks, a row of numbers for each contract. */
export interface Counted {
  height: number
  contract: string
}

/** At most `most` stretches of equal length over the blocks from `first` to `last`; each labelled by its first block. */
export function overTime(
  events: Counted[],
  first: number,
  last: number,
  most: number,
): { labels: number[]; counts: Map<string, number[]> } {
  const step = Math.max(1, Math.ceil((last - first + 1) / most))
  const length = Math.max(0, Math.ceil((last - first + 1) / step))
  const labels = Array.from({ length }, (_, i) => first + i * step)
  const counts = new Map<string, number[]>()
  for (const { height, contract } of events) {
    if (height < first || height > last) continue
    const row = counts.get(contract) ?? counts.set(contract, new Array<number>(length).fill(0)).get(contract)!
    row[Math.floor((height - first) / step)]! += 1
  }
  return { labels, counts }
}

export interface Grouped<E> {
  transaction: string
  height: number
  events: E[]
}

/** Events, newest first, by the transaction they are of. */
export function byTransaction<E extends { transaction: string; height: number }>(events: E[]): Grouped<E>[] {
  const found = new Map<string, Grouped<E>>()
  for (const e of events) {
    const group = found.get(e.transaction)
    if (group) group.events.push(e)
    else found.set(e.transaction, { transaction: e.transaction, height: e.height, events: [e] })
  }
  return [...found.values()]
}

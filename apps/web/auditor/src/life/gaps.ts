/** Whether a store's receipts are all there: numbers from 0 without gaps, on the ledger and among the copies handed in. Pure. */
import type { Hex } from '@healthtrust/kit'
import type { ReceiptBatch, TablePage } from '../model'

export interface Stand {
  organisation: Hex
  /** First number that is not on the ledger yet. */
  next: number
  batches: number
  /** Numbers that should be there and are not. */
  missing: number[]
  /** Handed in, not on the ledger yet. */
  waiting: number
}

const MOST = 1000

/** `batches`: newest first; `copies`: the newest receipts handed in. Where pages end, what is older is not judged. */
export function standOf(
  organisation: Hex,
  batches: TablePage<ReceiptBatch>,
  copies: { items: { number: number }[]; next?: string | null },
): Stand {
  const rows = [...batches.rows].sort((a, b) => a.first_number - b.first_number)
  const last = rows.at(-1)
  const next = last ? last.first_number + last.count : 0
  const numbers = new Set(copies.items.map((c) => c.number))
  const oldest = copies.next ? Math.min(...numbers) : 0
  const newest = Math.max(-1, ...numbers, next - 1)
  const missing = new Set([...betweenBatches(rows, batches.next === null), ...without(numbers, oldest, newest)])
  return {
    organisation,
    next,
    batches: rows.length,
    missing: [...missing].sort((a, b) => a - b),
    waiting: [...numbers].filter((n) => n >= next).length,
  }
}

function betweenBatches(rows: ReceiptBatch[], fromStart: boolean): number[] {
  const found: number[] = []
  let expected = fromStart ? 0 : (rows[0]?.first_number ?? 0)
  for (const row of rows) {
    for (let n = expected; n < row.first_number && found.length < MOST; n++) found.push(n)
    expected = Math.max(expected, row.first_number + row.count)
  }
  return found
}

function without(numbers: Set<number>, from: number, to: number): number[] {
  const found: number[] = []
  for (let n = from; n <= to && found.length < MOST; n++) if (!numbers.has(n)) found.push(n)
  return found
}

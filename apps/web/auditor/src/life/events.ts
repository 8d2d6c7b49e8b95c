/** An event as the mirror's table keeps it, in the shape in which the ledger's stream tells it. */
import type { EventRow, LedgerEvent } from '../model'

const POSITION = 2 ** 24

export const fromRow = (row: EventRow): LedgerEvent => ({
  contract: row.contract,
  name: row.event,
  args: JSON.parse(row.args) as Record<string, unknown>,
  height: row.height,
  block: '0x',
  index: row.position % POSITION,
  transaction: row.transaction_id,
})

/** What an auditor asks of the gateway. */
import { Platform, type Hex } from '@healthtrust/kit'
import type {
  Block,
  BlockRow,
  EventRow,
  EvidenceRow,
  Known,
  LedgerEvent,
  MirrorStatus,
  ReceiptBatch,
  TablePage,
  Trace,
  Transaction,
} from './model'

const MOST_ROWS = 1000

export class AuditorPlatform extends Platform {
  status = (): Promise<MirrorStatus> => this.client.get('mirror/status')
  known = (identifier: string): Promise<Known> => this.client.post('audit/lives', { identifier })
  block = (reference: string | number): Promise<Block> => this.client.get(`blocks/${reference}`)
  transaction = (id: string): Promise<Transaction> => this.client.get(`transactions/${id}`)

  trace(identifier: string, also: string[]): Promise<Trace> {
    const more = also.map((a) => `also=${a}`).join('&')
    return this.client.get(`mirror/trace/${identifier}${more && `?${more}`}`)
  }

  table = <T>(name: string, query: Record<string, string | number | undefined> = {}): Promise<TablePage<T>> =>
    this.client.get(`mirror/tables/${name}`, query)

  newestBlocks = (limit: number): Promise<TablePage<BlockRow>> => this.table('block', { sort: '-height', limit })
  eventsOf = (height: number): Promise<TablePage<EventRow>> => this.table('event', { height, limit: MOST_ROWS })
  newestEvents = (limit: number): Promise<TablePage<EventRow>> => this.table('event', { sort: '-position', limit })

  /** Batches of receipts of a store, first number ascending; those that may hold numbers `from` to `to`. */
  receiptBatches = (organisation: Hex, to?: number): Promise<TablePage<ReceiptBatch>> =>
    this.table('receipt_batch', { organisation, first_number__to: to, sort: '-first_number', limit: MOST_ROWS })

  receiptNumbers = (custodian: Hex): Promise<{ items: { number: number; time: number }[]; next: string | null }> =>
    this.client.get('receipts', { custodian, limit: 500 })

  evidence = (cursor?: string): Promise<{ items: EvidenceRow[]; next: string | null }> => this.client.get('evidence', { cursor })

  /** Every block with events from `from` on, until `signal` aborts. */
  follow = (from: number, onBlock: (events: LedgerEvent[]) => void, signal: AbortSignal): Promise<void> =>
    this.client.stream('events', (event) => onBlock(JSON.parse(event.data) as LedgerEvent[]), signal, { from })
}

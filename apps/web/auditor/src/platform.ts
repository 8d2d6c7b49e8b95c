/** What an auditor asks of the gateway. */
import { Platform, type EmergencyItem, type Hex, type Schemas } from '@healthtrust/kit'
import type { Agreement, AsOf } from './explorer/model'
import type {
  Block,
  BlockRow,
  EventRow,
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
  status = (): Promise<MirrorStatus> => this.client.get('mirror/status') as Promise<unknown> as Promise<MirrorStatus>
  known = (identifier: Hex): Promise<Known> => this.client.post('audit/lives', { identifier })
  block = (reference: string | number): Promise<Block> =>
    this.client.get('blocks/{reference}', { parts: { reference: String(reference) } })
  transaction = (id: Hex): Promise<Transaction> => this.client.get('transactions/{id}', { parts: { id } })

  agreement = (): Promise<Agreement> => this.client.get('mirror/agreement') as Promise<unknown> as Promise<Agreement>

  /** `artefacts`: opened consents that are shown; `height` or `time`, or neither. */
  asOf = (
    identifier: Hex,
    moment: { height: number | null; time: number | null },
    artefacts: Record<string, unknown>[],
  ): Promise<AsOf> => this.client.post('audit/as-of', { identifier, ...moment, artefacts }) as Promise<unknown> as Promise<AsOf>

  /** `also`: further identifiers for the same picture. */
  trace = (identifier: string, also: string[]): Promise<Trace> =>
    this.client.get('mirror/trace/{identifier}', {
      parts: { identifier },
      query: { also },
    }) as Promise<unknown> as Promise<Trace>

  /** Rows of one of the mirror's tables; every column may be asked for, which OpenAPI cannot say. */
  table = <T>(name: string, query: Record<string, string | number | undefined> = {}): Promise<TablePage<T>> =>
    this.client.call('GET', `mirror/tables/${name}`, { query })

  newestBlocks = (limit: number): Promise<TablePage<BlockRow>> => this.table('block', { sort: '-height', limit })
  eventsOf = (height: number): Promise<TablePage<EventRow>> => this.table('event', { height, limit: MOST_ROWS })
  newestEvents = (limit: number): Promise<TablePage<EventRow>> => this.table('event', { sort: '-position', limit })

  /** Batches of receipts of a store, first number ascending; those that may hold numbers `from` to `to`. */
  receiptBatches = (organisation: Hex, to?: number): Promise<TablePage<ReceiptBatch>> =>
    this.table('receipt_batch', { organisation, first_number__to: to, sort: '-first_number', limit: MOST_ROWS })

  receiptNumbers = (custodian: Hex): Promise<Schemas['ReceiptPage']> =>
    this.client.get('receipts', { query: { custodian, limit: 500 } })

  emergencies = async (): Promise<EmergencyItem[]> => (await this.client.get('emergencies')).items
  reviewEmergency = (id: Hex, outcome: 'justified' | 'unjustified'): Promise<Schemas['Accepted']> =>
    this.client.post('emergencies/{id}/review', { outcome }, { parts: { id } })

  evidence = (cursor?: string): Promise<Schemas['EvidencePage']> => this.client.get('evidence', { query: { cursor } })

  /** Every block with events from `from` on, until `signal` aborts. */
  follow = (from: number, onBlock: (events: LedgerEvent[]) => void, signal: AbortSignal): Promise<void> =>
    this.client.stream('events', (event) => onBlock(JSON.parse(event.data) as LedgerEvent[]), signal, { from })
}

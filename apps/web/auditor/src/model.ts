/** What the gateway and the mirror answer an auditor; the mirror's tables are told by docs/services.md. Times are UTC seconds. */
import type { Hex, Schemas } from '@healthtrust/kit'

export interface TraceNode {
  id: string
  type: string
  lane: string
  height: number
  time: number
  transaction: string
  contract: string
  event: string
  args: Record<string, unknown>
}

export interface Trace {
  identifier: string
  roles: string[]
  nodes: TraceNode[]
  edges: { source: string; target: string; thread: string }[]
  truncated: boolean
  height: number
}

export type Entry = Schemas['LifeEntry']
export type Receipt = Schemas['LifeReceipt']
export type Request = Schemas['LifeRequest']
/** What is known beside the ledger. */
export type Known = Schemas['LifeOut']
export type Block = Schemas['BlockOut']
export type LedgerEvent = Schemas['EventOut']
export type Transaction = Schemas['TransactionOut']
export type EvidenceRow = Schemas['EvidenceOut']

export interface MirrorStatus {
  state: string
  detail: string
  height: number
  hash: Hex
  digest: Hex
  time: number | null
  head: number | null
  lag_blocks: number | null
  lag_seconds: number | null
  unwound: number
  seen: number | null
  ledger_id: Hex
}

export interface ReceiptBatch {
  position: number
  height: number
  organisation: Hex
  batch: number
  root: Hex
  first_number: number
  count: number
  head_hash: Hex
}

export interface BlockRow {
  height: number
  hash: Hex
  time: number
  events: number
}

export interface EventRow {
  position: number
  height: number
  transaction_id: Hex
  contract: string
  event: string
  args: string
}

export interface TablePage<T> {
  columns: string[]
  rows: T[]
  next: string | null
  height: number
}

/** What the gateway answers an auditor (docs/services.md). Times are UTC seconds. */
import type { Hex } from '@healthtrust/kit'

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

export interface Entry {
  record: Hex
  custodian: Hex
  subject: Hex
  schema: Hex
  category: string
  version: number
  sequence: number
  recordedAt: number
  indexedAt: number
  deleted: boolean
  batch: number
  root: Hex
  transaction: string | null
  anchoredAt: number
}

export interface Receipt {
  store: Hex
  number: number
  hash: Hex
  time: number
  requester: Hex
  organisation: Hex
  subject: Hex
  record: Hex
  purpose: string
  consent: string | null
  outcome: 'permit' | 'deny' | 'no-consent'
  reason: string
  height: number
  anchored: boolean
}

export interface Request {
  id: Hex
  subject: string | null
  requester: Hex
  organisation: Hex
  status: string
  created: number
  expires: number
  consent: string | null
}

/** What is known beside the ledger. */
export interface Known {
  identifier: string
  entries: Entry[]
  receipts: Receipt[]
  requests: Request[]
  truncated: boolean
}

export interface Block {
  height: number
  hash: Hex
  parent: Hex
  time: number
  transactions: string[]
}

export interface LedgerEvent {
  contract: string
  name: string
  args: Record<string, unknown>
  height: number
  block: Hex
  index: number
  transaction: string
}

export interface Transaction {
  id: Hex
  status: string
  height: number | null
  block: Hex | null
  reason: string | null
  detail: string
  events: LedgerEvent[]
}

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

export interface EvidenceRow {
  id: string
  kind: string
  by: string
  content: Record<string, unknown>
  salt: Hex
  created: number
  root: Hex | null
  operation: string | null
}

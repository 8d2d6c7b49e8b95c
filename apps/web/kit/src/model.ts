/** What pages work with, whatever the endpoints call it. Times are UTC seconds, ids lower-case hex. */
import type { Hex } from './bytes'
import type { Bundle, CheckLine } from './bundle'
import type { IndexEntry } from './entry'
import type { Disclosure } from './record'
import type { FieldMask, Mode, Scope } from './scope'

export interface Organisation {
  id: Hex
  code: string
  name: string
  active: boolean
  custodian: boolean
  publicKey: Hex
  /** Public URL of its release gate; null where it has none. */
  gate: string | null
}

export interface Person {
  id: Hex
  name: string
  title: string
  organisation: Hex
  /** The ledger holds a credential that is valid now. */
  verified: boolean
}

export interface Element {
  n: number
  id: string
  name: { zh: string; en: string }
  type: string
  sensitivity: number
}

export interface DocumentType {
  id: Hex
  code: string
  category: string
  name: { zh: string; en: string }
  elements: Element[]
}

export interface RecordSummary {
  record: Hex
  custodian: Hex
  subject: Hex
  category: string
  schema: Hex
  version: number
  recordedAt: number
}

export interface RecordView extends RecordSummary {
  disclosure: Disclosure
  withheld: number[]
  entry: IndexEntry
  entryBytes: Uint8Array
  bundle: Bundle
  checks: CheckLine[]
}

export interface AccessRequest {
  id: Hex
  subject: Hex | null
  requester: Hex
  organisation: Hex
  role: string
  purpose: string
  categories: string[] | 'all'
  fields: FieldMask[] | 'all'
  period: { start: number; end: number }
  reason: string
  mode: Mode
  status: 'waiting' | 'granted' | 'refused' | 'expired' | 'withdrawn'
  created: number
  expires: number
  consent: Hex | null
  /** The signed text, and the requester's signature over it. */
  document: string
  signature: Hex
}

export interface ConsentItem {
  consent: Hex
  status: 'waiting' | 'refused' | 'active' | 'amended' | 'revoked' | 'expired' | 'future'
  /** Null where the artefact was lost or not sealed to this key. */
  scope: Scope | null
  used: number
  period: { start: number; end: number }
  successor: Hex | null
}

export interface Reading {
  id: string
  time: number
  store: Hex
  subject: Hex
  number: number
  requester: Hex
  organisation: Hex
  record: Hex
  purpose: string
  outcome: 'permit' | 'deny' | 'no-consent'
  reason: string
  fields: Hex
  height: number
  consent: Hex | null
}

export interface Notice {
  id: string
  kind: string
  created: number
  read: boolean
  about: string | null
  data: Record<string, unknown>
}

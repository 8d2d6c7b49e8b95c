/** What pages work with, whatever the endpoints call it. Times are UTC seconds, ids lower-case hex. */
import type { Hex } from './bytes'
import type { Bundle, CheckLine, Disclosure } from './bundle'
import type { Schemas, Told } from './client'
import type { IndexEntry } from './entry'
import type { FieldMask, Mode, Scope } from './scope'

export type Organisation = Told<Schemas['OrganisationOut'], { publicKey: Hex | null }>

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

export type RecordSummary = Pick<
  Schemas['EntryOut'],
  'record' | 'custodian' | 'subject' | 'category' | 'schema' | 'version' | 'recordedAt'
>

export interface RecordView extends RecordSummary {
  disclosure: Disclosure
  withheld: number[]
  entry: IndexEntry
  entryBytes: Uint8Array
  bundle: Bundle
  checks: CheckLine[]
}

/** `document`: the signed text; `signature`: the requester's over it. */
export type AccessRequest = Told<
  Schemas['RequestOut'],
  {
    subject: Hex | null
    fields: FieldMask[] | 'all'
    mode: Mode
    status: 'waiting' | 'granted' | 'refused' | 'expired' | 'withdrawn'
    consent: Hex | null
    signature: Hex
  }
>

export interface ConsentItem {
  consent: Hex
  status: 'waiting' | 'refused' | 'active' | 'amended' | 'revoked' | 'expired' | 'future'
  /** Null where the artefact was lost or not sealed to this key. */
  scope: Scope | null
  used: number
  period: { start: number; end: number }
  successor: Hex | null
}

export type Reading = Told<Schemas['ReceiptOut'], { outcome: 'permit' | 'deny' | 'no-consent'; fields: Hex; consent: Hex | null }>
export type Notice = Schemas['NoticeOut']
export type Operation = Told<Schemas['OperationOut'], { state: 'initialised' | 'pending' | 'succeeded' | 'failed' }>
export type Accepted = Told<Schemas['Accepted'], { operation: Operation }>
/** A key that waits to replace the current one, from `executableAt` on. */
export type Recovery = Told<Schemas['RecoveryOut'], { publicKey: Hex }>

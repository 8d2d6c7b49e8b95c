/** The one decision function (docs/formats.md, 6), pinned with the other implementations by tests/shared/decision.json. */
import { equal, kindWord, toBigInt, toHex, word, type Bytes, type Hex } from './bytes'
import { hmacSm3 } from './crypto'
import { numberOf, terms } from './vocabulary'

export const REASONS = [
  'ok',
  'self',
  'request_malformed',
  'custodian_inactive',
  'organisation_inactive',
  'credential_invalid',
  'no_consent',
  'subject_mismatch',
  'revoked',
  'amended',
  'not_yet_valid',
  'expired',
  'uses_exhausted',
  'commitment_mismatch',
  'scope_malformed',
  'scope_state_mismatch',
  'grantee_mismatch',
  'purpose_not_granted',
  'category_not_granted',
  'custodian_not_granted',
  'record_not_granted',
  'fields_not_granted',
] as const
export type Reason = (typeof REASONS)[number]
export type Outcome = 'no-consent' | 'permit' | 'deny'

export interface Question {
  subject: Hex
  requester: Hex
  organisation: Hex
  role: number
  purpose: number
  category: number
  custodian: Hex
  record: Hex
  schema: Hex
  fields: bigint
}

export interface LedgerState {
  consent: { subject: Hex; commitment: Hex; notBefore: number; notAfter: number; useLimit: number; uses: number; status: number }
  /** 0 none, 1 active, 2 suspended, 3 left. */
  organisation: number
  custodian: number
  credential: { organisation: Hex; roles: number; notBefore: number; notAfter: number; status: number }
}

export interface Decision {
  outcome: Outcome
  reason: Reason
  fields: bigint
}

export interface ParsedScope {
  subject: Hex
  granteeType: number
  purposes: number
  grantee: Hex
  organisation: Hex
  notBefore: number
  notAfter: number
  useLimit: number
  categories: bigint
  custodians: Set<Hex> | null
  records: Set<Hex> | null
  masks: Map<Hex, bigint> | null
}

const ZERO: Hex = `0x${'0'.repeat(64)}`
const ALL = (1n << 256n) - 1n
const KIND = kindWord('healthtrust/scope/v1')

function ids(words: Bytes, start: number, count: number, step: number, any: boolean): Hex[] | null {
  if (any && count) throw new RangeError('a list beside its any-flag')
  if (any) return null
  const found = Array.from({ length: count }, (_, i) => toHex(words.slice(start + i * step, start + i * step + 32)))
  if (found.some((id, i) => i > 0 && id <= found[i - 1]!)) throw new RangeError('a list is not strictly ascending')
  return found
}

/** The parts of scope words. Throws RangeError for anything that is not a scope. */
export function parseScopeWords(words: Bytes): ParsedScope {
  if (words.length < 224 || words.length % 32 || !equal(words.slice(0, 32), KIND)) throw new RangeError('not scope words')
  const number = (from: number, to: number): number => Number(toBigInt(words.slice(from, to)))
  const [kind, mode, onward, flags] = [words[64]!, words[65]!, words[66]!, words[78]!]
  const [custodians, records, masks] = [number(72, 74), number(74, 76), number(76, 78)]
  const reserved = [words[67]!, ...words.slice(79, 96), ...words.slice(180, 192)]
  if (reserved.some(Boolean) || flags > 7 || onward > 1 || kind < 1 || kind > 4 || mode < 1 || mode > 3)
    throw new RangeError('reserved bytes set')
  if (words.length !== 32 * (7 + custodians + records + 2 * masks)) throw new RangeError('length differs from the counts')
  const atMasks = 224 + 32 * (custodians + records)
  const schemas = ids(words, atMasks, masks, 64, (flags & 4) !== 0)
  const custodianIds = ids(words, 224, custodians, 32, (flags & 1) !== 0)
  const recordIds = ids(words, 224 + 32 * custodians, records, 32, (flags & 2) !== 0)
  const maskAt = (i: number): bigint => toBigInt(words.slice(atMasks + 64 * i + 32, atMasks + 64 * i + 64))
  return {
    subject: toHex(words.slice(32, 64)),
    granteeType: kind,
    purposes: number(68, 72),
    grantee: toHex(words.slice(96, 128)),
    organisation: toHex(words.slice(128, 160)),
    notBefore: number(160, 168),
    notAfter: number(168, 176),
    useLimit: number(176, 180),
    categories: toBigInt(words.slice(192, 224)),
    custodians: custodianIds && new Set(custodianIds),
    records: recordIds && new Set(recordIds),
    masks: schemas && new Map(schemas.map((s, i) => [s, maskAt(i)])),
  }
}

const isSelf = (q: Question): boolean =>
  q.requester === q.subject && q.purpose === numberOf('purposes', 'PATRQT') && q.organisation === ZERO
const has = (bits: number, bit: number): boolean => ((bits >>> bit) & 1) === 1

function requestReason(state: LedgerState, q: Question): Reason | null {
  const known = q.purpose < terms('purposes').length && q.category < terms('categories').length && q.role < terms('roles').length
  const named =
    ![q.subject, q.requester, q.custodian, q.record, q.schema].includes(ZERO) && (q.organisation !== ZERO || isSelf(q))
  if (!known || q.fields <= 0n || q.fields > ALL || !named) return 'request_malformed'
  return state.custodian === 1 ? null : 'custodian_inactive'
}

function requesterReason({ organisation, credential: c }: LedgerState, q: Question, time: number): Reason | null {
  if (organisation !== 1) return 'organisation_inactive'
  const valid =
    c.status === 1 && c.organisation === q.organisation && c.notBefore <= time && time < c.notAfter && has(c.roles, q.role)
  return valid ? null : 'credential_invalid'
}

function consentReason({ consent: c }: LedgerState, q: Question, time: number): Reason | null {
  if (c.status === 0) return 'no_consent'
  if (c.subject !== q.subject) return 'subject_mismatch'
  if (c.status !== 1) return c.status === 2 ? 'amended' : 'revoked'
  if (time < c.notBefore) return 'not_yet_valid'
  if (time >= c.notAfter) return 'expired'
  return c.useLimit > 0 && c.uses >= c.useLimit ? 'uses_exhausted' : null
}

function isGrantee(s: ParsedScope, q: Question): boolean {
  const bound = s.organisation === ZERO || s.organisation === q.organisation
  if (s.granteeType === 1) return s.grantee === q.requester && bound
  if (s.granteeType === 2) return s.grantee === q.organisation
  if (s.granteeType === 3) return BigInt(s.grantee) === BigInt(q.role) && bound
  return s.grantee === q.requester
}

/** Checks 16 to 21 alone: what a scope opens, whatever the ledger holds. */
export function scopeReason(s: ParsedScope, q: Question): Reason | null {
  if (!isGrantee(s, q)) return 'grantee_mismatch'
  if (!has(s.purposes, q.purpose)) return 'purpose_not_granted'
  if (!((s.categories >> BigInt(q.category)) & 1n)) return 'category_not_granted'
  if (s.custodians && !s.custodians.has(q.custodian)) return 'custodian_not_granted'
  if (s.records && !s.records.has(q.record)) return 'record_not_granted'
  return grantedFields(s, q.schema) & q.fields ? null : 'fields_not_granted'
}

export const grantedFields = (s: ParsedScope, schema: Hex): bigint => (s.masks ? (s.masks.get(schema) ?? 0n) : ALL)

function openedReason(state: LedgerState, q: Question, words: Bytes, salt: Bytes): [Reason | null, ParsedScope | null] {
  const c = state.consent
  if (salt.length !== 32 || !equal(hmacSm3(salt, words), word(c.commitment))) return ['commitment_mismatch', null]
  let s: ParsedScope
  try {
    s = parseScopeWords(words)
  } catch {
    return ['scope_malformed', null]
  }
  const same = s.notBefore === c.notBefore && s.notAfter === c.notAfter && s.subject === c.subject && s.useLimit === c.useLimit
  return [same ? scopeReason(s, q) : 'scope_state_mismatch', s]
}

const refused = (reason: Reason): Decision => ({ outcome: reason === 'no_consent' ? 'no-consent' : 'deny', reason, fields: 0n })

/** May `q` be served at `time`, given the ledger's state and the opened scope? Pure; never throws for values of the right types. */
export function decide(state: LedgerState, q: Question, words: Bytes, salt: Bytes, time: number): Decision {
  const early = requestReason(state, q)
  if (early) return refused(early)
  if (isSelf(q)) return { outcome: 'permit', reason: 'self', fields: q.fields }
  const reason = requesterReason(state, q, time) ?? consentReason(state, q, time)
  if (reason) return refused(reason)
  const [opened, scope] = openedReason(state, q, words, salt)
  if (opened || !scope) return refused(opened ?? 'scope_malformed')
  return { outcome: 'permit', reason: 'ok', fields: grantedFields(scope, q.schema) & q.fields }
}

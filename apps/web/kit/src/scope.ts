/** Consent scope: the document people and APIs see, and the words the contract sees (docs/formats.md, 5). */
import { concat, fromHex, kindWord, toBigInt, uint, word, ZERO_WORD, type Bytes, type Hex } from './bytes'
import { hmacSm3, sm3Times } from './crypto'
import { numberOf } from './vocabulary'

export type GranteeType = 'practitioner' | 'organisation' | 'role' | 'link'
export type Mode = 'remote' | 'on-site' | 'proactive'
export interface FieldMask {
  schema: Hex
  /** Element numbers 1…256, ascending, or all. */
  elements: number[] | 'all'
}
export interface Scope {
  kind: 'healthtrust/consent-scope'
  version: 1
  subject: Hex
  grantee: { type: GranteeType; id: Hex; organisation: Hex | null }
  purposes: string[]
  categories: string[] | 'all'
  custodians: Hex[] | 'all'
  records: Hex[] | 'all'
  fields: FieldMask[] | 'all'
  /** UTC seconds; the end is excluded. */
  period: { start: number; end: number }
  /** 0 = not limited. */
  uses: number
  onwardSharing: boolean
  mode: Mode
}

const GRANTEE: Record<GranteeType, number> = { practitioner: 1, organisation: 2, role: 3, link: 4 }
const MODE: Record<Mode, number> = { remote: 1, 'on-site': 2, proactive: 3 }
const ALL = (1n << 256n) - 1n
const bits = (numbers: number[]): bigint => numbers.reduce((set, n) => set | (1n << BigInt(n)), 0n)

/** uint256 of a field mask: element n is bit n − 1. Throws RangeError outside 1…256. */
export function maskOf(elements: number[] | 'all'): bigint {
  if (elements === 'all') return ALL
  if (elements.some((n) => !Number.isInteger(n) || n < 1 || n > 256)) throw new RangeError('element number outside 1…256')
  return bits(elements.map((n) => n - 1))
}

/** Element numbers of a mask, ascending. */
export function elementsOf(mask: bigint): number[] {
  return Array.from({ length: 256 }, (_, i) => i + 1).filter((n) => (mask >> BigInt(n - 1)) & 1n)
}

function ascending(ids: Hex[] | 'all', name: string): Bytes[] {
  if (ids === 'all') return []
  const sorted = ids.map(word).sort((a, b) => (toBigInt(a) < toBigInt(b) ? -1 : 1))
  if (new Set(ids.map((i) => i.toLowerCase())).size !== ids.length) throw new RangeError(`${name} named twice`)
  return sorted
}

function flags(scope: Scope): number {
  return Number(scope.custodians === 'all') | (Number(scope.records === 'all') << 1) | (Number(scope.fields === 'all') << 2)
}

function masks(scope: Scope): Bytes[] {
  if (scope.fields === 'all') return []
  const bySchema = new Map(scope.fields.map((f) => [f.schema.toLowerCase(), f]))
  return ascending(
    scope.fields.map((f) => f.schema),
    'schema',
  ).flatMap((schema) => [
    schema,
    uint(maskOf(bySchema.get(`0x${toBigInt(schema).toString(16).padStart(64, '0')}`)!.elements), 32),
  ])
}

/** The words of a scope document. Throws RangeError for a document that no contract would accept. */
export function scopeWords(scope: Scope): Bytes {
  const [custodians, records, fields] = [
    ascending(scope.custodians, 'custodian'),
    ascending(scope.records, 'record'),
    masks(scope),
  ]
  const head = [uint(GRANTEE[scope.grantee.type], 1), uint(MODE[scope.mode], 1), uint(Number(scope.onwardSharing), 1), uint(0, 1)]
  const purposes = uint(bits(scope.purposes.map((p) => numberOf('purposes', p))), 4)
  const counts = [uint(custodians.length, 2), uint(records.length, 2), uint(fields.length / 2, 2), uint(flags(scope), 1)]
  const categories = scope.categories === 'all' ? ALL : bits(scope.categories.map((c) => numberOf('categories', c)))
  return concat(
    kindWord('healthtrust/scope/v1'),
    word(scope.subject),
    concat(...head, purposes, ...counts, new Uint8Array(17)),
    word(scope.grantee.id),
    scope.grantee.organisation ? word(scope.grantee.organisation) : ZERO_WORD,
    concat(packedPeriod(scope), new Uint8Array(12)),
    uint(categories, 32),
    ...custodians,
    ...records,
    ...fields,
  )
}

const packedPeriod = (scope: Scope): Bytes => concat(uint(scope.period.start, 8), uint(scope.period.end, 8), uint(scope.uses, 4))

/** `notBefore ‖ notAfter ‖ useLimit ‖ 0 ‖ nonce`, one word. */
export const packed = (scope: Scope, nonce: number): Bytes => concat(packedPeriod(scope), uint(0, 4), uint(nonce, 8))

export const commitment = (salt: Uint8Array, words: Uint8Array): Bytes => hmacSm3(salt, words)

/** The consent's id: the end of its use chain. */
export const consentId = (seed: Uint8Array, uses: number): Bytes => sm3Times(seed, Math.max(1, uses))

/** What shows that use number `use` (1-based) is spent. */
export const spendPreimage = (seed: Uint8Array, uses: number, use: number): Bytes => sm3Times(seed, uses - use)

/** Word of a role, as a role grantee's id. */
export const roleId = (n: number): Bytes => uint(n, 32)
export const isZero = (hex: Hex | null): boolean => hex === null || toBigInt(fromHex(hex)) === 0n

/** Consent scope: the document people and APIs see, and the words the contract sees (docs/formats.md, 5). */
import { concat, fromHex, toBigInt, uint, type Bytes, type Hex } from './bytes'
import { scopeWords as wordsAsShown } from './check/decide'
import type { Value } from './check/read'
import { hmacSm3, sm3Times } from './crypto'

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

function requireOnce(ids: Hex[], name: string): void {
  if (new Set(ids.map((i) => i.toLowerCase())).size !== ids.length) throw new RangeError(`${name} named twice`)
}

/** As `parseJson` reads its text: whole numbers are bigint. */
function asShown(value: unknown): Value {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(asShown)
  if (value === null || typeof value !== 'object') return value as Value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asShown(inner)]))
}

const listed = <T>(items: T[] | 'all'): T[] => (items === 'all' ? [] : items)

/** The words of a scope document. Throws RangeError for a document that no contract would accept. */
export function scopeWords(scope: Scope): Bytes {
  requireOnce(listed(scope.custodians), 'custodian')
  requireOnce(listed(scope.records), 'record')
  requireOnce(
    listed(scope.fields).map((f) => f.schema),
    'schema',
  )
  for (const { elements } of listed(scope.fields)) maskOf(elements)
  return wordsAsShown(asShown(scope))
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

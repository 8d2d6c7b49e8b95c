/** Scope words and the decision (docs/formats.md, 5 and 6) for documents as shown, whatever is in them. */
import { type Bytes, concat, type Hex, kindWord, toBigInt, toHex, uint, word, ZERO_WORD } from '../bytes'
import { decide, type Decision, REASONS } from '../decision'
import { type Kind, terms } from '../vocabulary'
import { amount, at, hex, hexList, integer, list, Malformed, small, textOf, type Value } from './read'

const ALL_BITS = (1n << 256n) - 1n
const MOST_IDS = 1024
const TYPES: Record<string, number> = { practitioner: 1, organisation: 2, role: 3, link: 4 }
const MODES: Record<string, number> = { remote: 1, 'on-site': 2, proactive: 3 }

/** Number of a code of the vocabulary. */
export function codeNumber(kind: Kind, code: Value): bigint {
  const found = terms(kind).find((t) => t.code === code)
  if (!found) throw new Malformed('a code outside the vocabulary')
  return BigInt(found.n)
}

const bits = (kind: Kind, codes: Value): bigint =>
  list(codes).reduce<bigint>((set, code) => set | (1n << codeNumber(kind, code)), 0n)

function named(table: Record<string, number>, name: Value): number {
  const found = Object.hasOwn(table, String(name)) && typeof name === 'string' ? table[name] : undefined
  if (found === undefined) throw new Malformed('an unknown name')
  return found
}

/** Mask of element numbers, or of "all" where that is allowed. */
export function elements(value: Value): bigint {
  if (value === 'all') return ALL_BITS
  return list(value).reduce<bigint>((mask, n) => mask | (integer(n, 256n) ? 1n << (integer(n) - 1n) : 0n), 0n)
}

const ascending = (ids: Bytes[]): Bytes[] => [...ids].sort((a, b) => (toHex(a) < toHex(b) ? -1 : 1))

const idsOf = (value: Value): Bytes[] | null => (value === 'all' ? null : ascending(hexList(value, 32, MOST_IDS)))

function masksOf(value: Value): Bytes[] | null {
  if (value === 'all') return null
  const masks = new Map(list(value).map((f) => [toHex(hex(at(f, 'schema'))), elements(at(f, 'elements'))]))
  return [...masks.keys()].sort().flatMap((schema) => [word(schema), uint(masks.get(schema)!, 32)])
}

/** The words of a scope document. */
export function scopeWords(scope: Value): Bytes {
  if (at(scope, 'kind') !== 'healthtrust/consent-scope' || amount(at(scope, 'version')) != 1n)
    throw new Malformed('not a consent scope of version 1')
  const lists = [idsOf(at(scope, 'custodians')), idsOf(at(scope, 'records')), masksOf(at(scope, 'fields'))]
  const bound = at(scope, 'grantee', 'organisation')
  const categories = at(scope, 'categories')
  return concat(
    kindWord('healthtrust/scope/v1'),
    hex(at(scope, 'subject')),
    scopeHead(scope, lists),
    hex(at(scope, 'grantee', 'id')),
    bound === null ? ZERO_WORD : hex(bound),
    period(scope),
    uint(categories === 'all' ? ALL_BITS : bits('categories', categories), 32),
    ...lists.flatMap((items) => items ?? []),
  )
}

function scopeHead(scope: Value, lists: (Bytes[] | null)[]): Bytes {
  const onward = at(scope, 'onwardSharing')
  if (typeof onward !== 'boolean') throw new Malformed('onwardSharing')
  const counts = lists.map((items, i) => uint((items?.length ?? 0) / (i === 2 ? 2 : 1), 2))
  const flags = lists.reduce((set, items, i) => set | (items ? 0 : 1 << i), 0)
  const head = [named(TYPES, at(scope, 'grantee', 'type')), named(MODES, at(scope, 'mode')), Number(onward), 0]
  return concat(
    Uint8Array.from(head),
    uint(bits('purposes', at(scope, 'purposes')), 4),
    ...counts,
    Uint8Array.of(flags),
    new Uint8Array(17),
  )
}

function period(scope: Value): Bytes {
  const [start, end] = ['start', 'end'].map((name) => uint(integer(at(scope, 'period', name)), 8))
  return concat(start!, end!, uint(small(at(scope, 'uses'), 2 ** 32 - 1), 4), new Uint8Array(12))
}

const idOf = (doc: Value, name: string): Hex => toHex(hex(at(doc, name)))

/** A number that arithmetic keeps whole; larger ones, which no ledger here writes, are refused rather than rounded. */
function exact(value: bigint | number): number {
  if (!Number.isSafeInteger(Number(value)) && typeof value === 'bigint') throw new Malformed('a number beyond 2^53')
  return Number(value)
}

const numberOf = (doc: Value, name: string): number => exact(amount(at(doc, name)))

function question(q: Value): Parameters<typeof decide>[1] {
  const numbers = { purpose: 0, category: 0, role: 0 }
  for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) numbers[name] = exact(integer(at(q, name)))
  const ids = { subject: idOf(q, 'subject'), requester: idOf(q, 'requester'), organisation: idOf(q, 'organisation') }
  const what = { custodian: idOf(q, 'custodian'), record: idOf(q, 'record'), schema: idOf(q, 'schema') }
  return { ...numbers, ...ids, ...what, fields: toBigInt(hex(at(q, 'fields'))) }
}

function ledgerState(state: Value): Parameters<typeof decide>[0] {
  const [k, c] = [at(state, 'credential'), at(state, 'consent')]
  const valid = { notBefore: numberOf(k, 'notBefore'), notAfter: numberOf(k, 'notAfter') }
  const credential = {
    ...valid,
    organisation: idOf(k, 'organisation'),
    roles: numberOf(k, 'roles'),
    status: numberOf(k, 'status'),
  }
  const times = { notBefore: exact(integer(at(c, 'notBefore'))), notAfter: exact(integer(at(c, 'notAfter'))) }
  const uses = { useLimit: small(at(c, 'useLimit'), 2 ** 32 - 1), uses: numberOf(c, 'uses'), status: numberOf(c, 'status') }
  const consent = { ...times, ...uses, subject: idOf(c, 'subject'), commitment: idOf(c, 'commitment') }
  return { organisation: numberOf(state, 'organisation'), custodian: numberOf(state, 'custodian'), credential, consent }
}

const NOBODY = { organisation: toHex(ZERO_WORD), roles: 0, notBefore: 0, notAfter: 0, status: 0 }
const NOTHING = {
  subject: toHex(ZERO_WORD),
  commitment: toHex(ZERO_WORD),
  notBefore: 0,
  notAfter: 0,
  useLimit: 0,
  uses: 0,
  status: 0,
}

/** Decides again from state and request as shown. A person's own reading looks at no consent and no credential, whatever stands there. */
export function decideShown(state: Value, q: Value, words: Bytes, salt: Bytes, time: bigint): Decision {
  const asked = question(q)
  const bare = { organisation: 0, custodian: numberOf(state, 'custodian'), credential: NOBODY, consent: NOTHING }
  const own = decide(bare, asked, words, salt, exact(time))
  return own.reason === 'self' ? own : decide(ledgerState(state), asked, words, salt, exact(time))
}

export const reasonNumber = (reason: Value): number => REASONS.findIndex((r) => r === textOf(reason))

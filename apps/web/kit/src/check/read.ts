/**
 * Reading documents that nobody vouches for: JSON without doubtful parts, members and bytes taken out with their shape checked. What does
 * not fit throws {@link Malformed}; what is not there but need not be throws {@link Missing}.
 */
import { fromHex, toBigInt, utf8, type Bytes } from '../bytes'

/** Integers are bigint, other numbers number: `1` and `1.0` differ where bytes are made of them. */
export type Value = null | boolean | bigint | number | string | Value[] | { [key: string]: Value }

export class Malformed extends RangeError {}
export class Missing extends Error {}

const MOST_NESTED = 400
const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\.)*")|(-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)|(true|false|null))/y

/** JSON of RFC 8259, refusing a key that appears twice. Throws Malformed. */
export function parseJson(text: string): Value {
  const reader = new Reader(text)
  const value = reader.value(0)
  if (text.slice(reader.at).trim()) throw new Malformed('something behind the document')
  return value
}

class Reader {
  at = 0
  constructor(private readonly text: string) {}

  value(depth: number): Value {
    if (depth > MOST_NESTED) throw new Malformed('nested too deep')
    const [, sign, quoted, number, fraction, exponent, word] = this.token()
    if (sign === '{') return this.members(depth)
    if (sign === '[') return this.items(depth)
    if (quoted !== undefined) return unquoted(quoted)
    if (number !== undefined) return fraction || exponent ? Number(number) : BigInt(number)
    if (word !== undefined) return word === 'null' ? null : word === 'true'
    throw new Malformed('not JSON')
  }

  private token(): RegExpExecArray {
    TOKEN.lastIndex = this.at
    const found = TOKEN.exec(this.text)
    if (!found) throw new Malformed('not JSON')
    this.at = TOKEN.lastIndex
    return found
  }

  private sign(...allowed: string[]): string {
    const sign = this.token()[1]
    if (!sign || !allowed.includes(sign)) throw new Malformed('not JSON')
    return sign
  }

  private closes(sign: string): boolean {
    const before = this.at
    if (this.token()[1] === sign) return true
    this.at = before
    return false
  }

  private members(depth: number): Value {
    const found = Object.create(null) as { [key: string]: Value }
    if (this.closes('}')) return found
    do {
      const quoted = this.token()[2]
      if (quoted === undefined) throw new Malformed('not JSON')
      const key = unquoted(quoted)
      if (Object.hasOwn(found, key)) throw new Malformed('a key twice')
      this.sign(':')
      found[key] = this.value(depth + 1)
    } while (this.sign(',', '}') === ',')
    return found
  }

  private items(depth: number): Value {
    const found: Value[] = []
    if (this.closes(']')) return found
    do found.push(this.value(depth + 1))
    while (this.sign(',', ']') === ',')
    return found
  }
}

function unquoted(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw new Malformed('not a JSON text')
  }
}

export const isObject = (value: Value | undefined): value is { [key: string]: Value } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A member, by its path. */
export function at(doc: Value, ...path: string[]): Value {
  let here: Value = doc
  for (const name of path) {
    if (!isObject(here) || !Object.hasOwn(here, name)) throw new Malformed(`${name} is missing`)
    here = here[name]!
  }
  return here
}

export function object(value: Value): { [key: string]: Value } {
  if (!isObject(value)) throw new Malformed('not an object')
  return value
}

export function list(value: Value, most = Infinity): Value[] {
  if (!Array.isArray(value) || value.length > most) throw new Malformed('not a list')
  return value
}

export function textOf(value: Value): string {
  if (typeof value !== 'string') throw new Malformed('not a text')
  return value
}

/** UTF-8 of a text; one that has none (a lone surrogate) is malformed. */
export function bytesOf(value: Value): Bytes {
  const text = textOf(value)
  if (/\p{Surrogate}/u.test(text)) throw new Malformed('a lone surrogate')
  return utf8(text)
}

/** Lower-case `0x…`; `size` in bytes, null: any. */
export function hex(value: Value, size: number | null = 32): Bytes {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-f]{2})*$/.test(value) || value.endsWith('\n')) throw new Malformed('not hex')
  const data = fromHex(value)
  if (size !== null && data.length !== size) throw new Malformed('hex of another length')
  return data
}

export const hexNumber = (value: Value): bigint => toBigInt(hex(value))

export const hexList = (value: Value, size: number | null = 32, most = 300): Bytes[] => list(value, most).map((v) => hex(v, size))

const U64 = (1n << 64n) - 1n
/** An integer from 0 to `most`. */
export function integer(value: Value, most = U64): bigint {
  if (typeof value !== 'bigint' || value < 0n || value > most) throw new Malformed('not a number in range')
  return value
}

export const small = (value: Value, most: number): number => Number(integer(value, BigInt(most)))

/** Any number, for comparing; throws for what is none. */
export function amount(value: Value): bigint | number {
  if (typeof value === 'boolean') return BigInt(value)
  if (typeof value !== 'bigint' && typeof value !== 'number') throw new Malformed('not a number')
  return value
}

/** Whether two values say the same; numbers by amount. */
export function same(a: Value, b: Value): boolean {
  const numeric = (v: Value): boolean => ['bigint', 'number', 'boolean'].includes(typeof v)
  if (numeric(a) && numeric(b)) return amount(a) == amount(b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => same(v, b[i]!))
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a)
    return names.length === Object.keys(b).length && names.every((n) => Object.hasOwn(b, n) && same(a[n]!, b[n]!))
  }
  return a === b
}

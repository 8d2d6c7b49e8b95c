/** Canonical JSON: RFC 8785 over NFC text. ECMAScript's own number and string forms are the ones the RFC names. */
import { utf8, type Bytes } from './bytes'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }
/** What has a canonical form: JSON, with integers as bigint where they were read so. */
type Writable = null | boolean | number | bigint | string | Writable[] | { [key: string]: Writable | undefined }

const MOST_NESTED = 64
const EXACT = 1n << 53n

const normal = (value: string): string => {
  if (/\p{Surrogate}/u.test(value)) throw new RangeError('lone surrogate in JSON text')
  return value.normalize('NFC')
}

function number(value: number): string {
  const tooLarge = Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21
  if (!Number.isFinite(value) || tooLarge) throw new RangeError('a number another language would read differently')
  return JSON.stringify(value)
}

function integer(value: bigint): string {
  if (value >= EXACT || value <= -EXACT) throw new RangeError('an integer beyond 2^53')
  return value.toString()
}

function members(value: { [key: string]: Writable | undefined }, depth: number): string {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  const named = new Map(entries.map(([k, v]) => [normal(k), v!]))
  if (named.size !== entries.length) throw new RangeError('a key appears twice after normalisation')
  const one = (key: string): string => `${JSON.stringify(key)}:${write(named.get(key)!, depth + 1)}`
  return `{${[...named.keys()].sort().map(one).join(',')}}`
}

function write(value: Writable, depth: number): string {
  if (depth > MOST_NESTED) throw new RangeError('nested too deep')
  if (typeof value === 'string') return JSON.stringify(normal(value))
  if (typeof value === 'number') return number(value)
  if (typeof value === 'bigint') return integer(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return Array.isArray(value) ? `[${value.map((v) => write(v, depth + 1)).join(',')}]` : members(value, depth)
}

/** Throws RangeError for values that another language would read differently, as `core/canonical.py` does. */
export const canonical = (value: unknown): string => write(value as Writable, 0)
export const canonicalBytes = (value: unknown): Bytes => utf8(canonical(value))

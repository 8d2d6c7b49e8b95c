/** RFC 8785 over NFC text, of values as {@link parseJson} reads them. */
import type { Bytes } from '@healthtrust/kit'
import { bytesOf, isObject, Malformed, type Value } from './read'

const MOST_NESTED = 64
const EXACT = 1n << 53n

export const canonicalBytes = (value: Value): Bytes => bytesOf(canonical(value, 0))

function canonical(value: Value, depth: number): string {
  if (depth > MOST_NESTED) throw new Malformed('nested too deep')
  if (typeof value === 'string') return JSON.stringify(value.normalize('NFC'))
  if (typeof value === 'bigint') return integer(value)
  if (typeof value === 'number') return float(value)
  if (Array.isArray(value)) return `[${value.map((v) => canonical(v, depth + 1)).join(',')}]`
  return isObject(value) ? members(value, depth) : String(value)
}

function integer(value: bigint): string {
  if (value >= EXACT || value <= -EXACT) throw new Malformed('an integer beyond 2^53')
  return value.toString()
}

function float(value: number): string {
  const size = Math.abs(value)
  if (!Number.isFinite(value) || (size >= 2 ** 53 && size < 1e21)) throw new Malformed('a number others would read differently')
  return JSON.stringify(value)
}

function members(value: { [key: string]: Value }, depth: number): string {
  const named = new Map(Object.entries(value).map(([k, v]) => [k.normalize('NFC'), v]))
  if (named.size !== Object.keys(value).length) throw new Malformed('a key twice')
  const one = (key: string): string => `${JSON.stringify(key)}:${canonical(named.get(key)!, depth + 1)}`
  return `{${[...named.keys()].sort().map(one).join(',')}}`
}

/** Canonical JSON: RFC 8785 over NFC text. ECMAScript's own number and string forms are the ones the RFC names. */
import { utf8, type Bytes } from './bytes'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }

const normal = (value: string): string => {
  if (/\p{Surrogate}/u.test(value)) throw new RangeError('lone surrogate in JSON text')
  return value.normalize('NFC')
}

function number(value: number): string {
  const tooLarge = Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21
  if (!Number.isFinite(value) || tooLarge) throw new RangeError('a number another language would read differently')
  return JSON.stringify(value)
}

function object(value: { [key: string]: Json | undefined }): string {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  const named = new Map(entries.map(([k, v]) => [normal(k), v!]))
  if (named.size !== entries.length) throw new RangeError('a key appears twice after normalisation')
  return `{${[...named.keys()]
    .sort()
    .map((k) => `${JSON.stringify(k)}:${canonical(named.get(k)!)}`)
    .join(',')}}`
}

/** Throws RangeError for values that another language would read differently, as `core/canonical.py` does. */
export function canonical(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(normal(value))
  if (typeof value === 'number') return number(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return Array.isArray(value) ? `[${value.map(canonical).join(',')}]` : object(value)
}

export const canonicalBytes = (value: unknown): Bytes => utf8(canonical(value as Json))

/** Bytes, hex, base64, words. A word is 32 bytes; integers are big-endian (docs/formats.md). */

export type Hex = `0x${string}`
export type Bytes = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export const utf8 = (text: string): Bytes => encoder.encode(text) as Bytes
export const text = (bytes: Uint8Array): string => decoder.decode(bytes)

/** `0x` hex of any length to bytes. Throws RangeError on anything else. */
export function fromHex(hex: string): Bytes {
  const digits = hex.startsWith('0x') ? hex.slice(2) : hex
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new RangeError('not hex')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

export const bareHex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
export const toHex = (bytes: Uint8Array): Hex => `0x${bareHex(bytes)}`

export const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''))
export const fromBase64 = (b64: string): Bytes => Uint8Array.from(atob(b64), (c) => c.charCodeAt(0))

export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Unsigned integer as `size` bytes. Throws RangeError if it does not fit. */
export function uint(value: number | bigint, size: number): Bytes {
  let rest = BigInt(value)
  if (rest < 0n || rest >> BigInt(8 * size) !== 0n) throw new RangeError(`${value} does not fit in ${size} bytes`)
  const out = new Uint8Array(size)
  for (let i = size - 1; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn)
  return out
}

export const toBigInt = (bytes: Uint8Array): bigint => (bytes.length ? BigInt(toHex(bytes)) : 0n)

/** Exactly 32 bytes from hex. Throws RangeError otherwise. */
export function word(hex: string): Bytes {
  const bytes = fromHex(hex)
  if (bytes.length !== 32) throw new RangeError('not 32 bytes')
  return bytes
}

/** Zero-filled on the left to a word (addresses, small numbers). */
export function leftPadded(bytes: Uint8Array): Bytes {
  if (bytes.length > 32) throw new RangeError('longer than a word')
  return concat(new Uint8Array(32 - bytes.length), bytes)
}

/** Kind word: ASCII name zero-filled on the right to 32 bytes. */
export function kindWord(name: string): Bytes {
  const bytes = utf8(name)
  if (bytes.length > 32) throw new RangeError('kind longer than a word')
  return concat(bytes, new Uint8Array(32 - bytes.length))
}

export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((v, i) => v === b[i])
export const ZERO_WORD: Bytes = new Uint8Array(32)

/** Protobuf messages, as far as CometBFT's headers, votes and ICS-23 proofs need them: varints and what has a length. */
import { concat, type Bytes } from '../bytes'
import { Malformed } from './read'

/** Values by field number, in the order of the message. */
export type Fields = Map<number, (bigint | Bytes)[]>

const EMPTY: Bytes = new Uint8Array(0)

/** A number and where it ends. */
export function varint(data: Uint8Array, at: number): [bigint, number] {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    if (at >= data.length || shift > 63n) throw new Malformed('a number of a message ends early')
    value |= BigInt(data[at]! & 0x7f) << shift
    if (!(data[at++]! & 0x80)) return [value, at]
  }
}

/** A number as a varint. */
export function uvarint(value: bigint | number): Bytes {
  const encoded: number[] = []
  let rest = BigInt(value)
  for (; rest > 0x7fn; rest >>= 7n) encoded.push(Number(rest & 0x7fn) | 0x80)
  return Uint8Array.of(...encoded, Number(rest))
}

/** `size` bytes from `at` on. */
export function taken(data: Bytes, at: number, size: bigint): Bytes {
  if (size > BigInt(data.length - at)) throw new Malformed('a message ends early')
  return data.slice(at, at + Number(size))
}

export function message(data: Bytes): Fields {
  const fields: Fields = new Map()
  for (let at = 0; at < data.length;) {
    const [tag, start] = varint(data, at)
    const [number, end] = varint(data, start)
    let value: bigint | Bytes = number
    at = end
    if ((tag & 7n) === 2n) at += (value = taken(data, end, number)).length
    else if ((tag & 7n) !== 0n) throw new Malformed('a field of another type')
    const name = Number(tag >> 3n)
    fields.set(name, [...(fields.get(name) ?? []), value])
  }
  return fields
}

function only(fields: Fields, number: number): bigint | Bytes | undefined {
  const values = fields.get(number) ?? []
  if (values.length > 1) throw new Malformed('a field twice')
  return values[0]
}

/** The only value of a field that is bytes; empty if there is none. */
export function bytesField(fields: Fields, number: number): Bytes {
  const value = only(fields, number) ?? EMPTY
  if (typeof value === 'bigint') throw new Malformed('a field of another type')
  return value
}

/** The only value of a field that is a number; zero if there is none. */
export function numberField(fields: Fields, number: number): bigint {
  const value = only(fields, number) ?? 0n
  if (typeof value !== 'bigint') throw new Malformed('a field of another type')
  return value
}

/** A field that is bytes, text or a message. */
export const tagged = (number: number, value: Uint8Array): Bytes =>
  concat(Uint8Array.of((number << 3) | 2), uvarint(value.length), value)

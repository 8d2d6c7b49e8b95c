/** Index entry: what is anchored about one version of one record (docs/formats.md, 3). */
import { concat, equal, kindWord, toBigInt, toHex, uint, word, type Bytes, type Hex } from './bytes'

export interface IndexEntry {
  organisation: Hex
  record: Hex
  subject: Hex
  commitment: Hex
  schema: Hex
  previous: Hex
  sequence: number
  version: number
  category: number
  tombstone: boolean
  recordedAt: number
  indexedAt: number
}

const KIND = kindWord('healthtrust/index-entry/v1')

/** The 256 bytes of leaf data. */
export function entryBytes(e: IndexEntry): Bytes {
  const packed = [uint(e.sequence, 8), uint(e.version, 4), uint(e.category, 1), uint(Number(e.tombstone), 1), uint(0, 2)]
  const ids = [e.organisation, e.record, e.subject, e.commitment, e.schema, e.previous].map(word)
  return concat(KIND, ...ids, ...packed, uint(e.recordedAt, 8), uint(e.indexedAt, 8))
}

/** The fields of leaf data. Throws RangeError for bytes that are no index entry. */
export function parseEntry(data: Uint8Array): IndexEntry {
  if (data.length !== 256 || !equal(data.slice(0, 32), KIND)) throw new RangeError('not an index entry')
  const at = (i: number): Hex => toHex(data.slice(32 * i, 32 * i + 32))
  const p = data.slice(224)
  const number = (from: number, to: number): number => Number(toBigInt(p.slice(from, to)))
  if (p[13]! > 1 || number(14, 16) !== 0) throw new RangeError('reserved bytes set')
  const times = { recordedAt: number(16, 24), indexedAt: number(24, 32) }
  const ids = { organisation: at(1), record: at(2), subject: at(3), commitment: at(4), schema: at(5), previous: at(6) }
  return { ...ids, sequence: number(0, 8), version: number(8, 12), category: p[12]!, tombstone: p[13] === 1, ...times }
}

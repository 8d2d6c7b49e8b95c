/** Keccak-256, RLP and proofs of Ethereum's Merkle-Patricia trie (Yellow Paper, appendices B and D). */
import { bareHex, equal, toBigInt, type Bytes } from '../bytes'
import { keccak_256 } from '@noble/hashes/sha3'
import { Malformed } from './read'

export const keccak256 = (data: Uint8Array): Bytes => keccak_256(data) as Bytes

/** RLP: bytes or a list. */
export type Item = Bytes | Item[]
const MOST_NESTED = 8

/** One RLP item and nothing behind it. */
export function rlpDecode(data: Bytes): Item {
  const [item, rest] = next(data, 0)
  if (rest.length) throw new Malformed('bytes behind an RLP item')
  return item
}

function next(data: Bytes, depth: number): [Item, Bytes] {
  if (!data.length || depth > MOST_NESTED) throw new Malformed('RLP ends early or nests too deep')
  const head = data[0]!
  if (head < 0x80) return [data.slice(0, 1), data.slice(1)]
  const isList = head >= 0xc0
  const short = head - (isList ? 0xc0 : 0x80)
  const start = short > 55 ? short - 54 : 1
  const size = short > 55 ? Number(toBigInt(data.slice(1, start))) : short
  if (data.length < start + size) throw new Malformed('RLP ends early')
  const body = data.slice(start, start + size)
  return [isList ? items(body, depth) : body, data.slice(start + size)]
}

function items(body: Bytes, depth: number): Item[] {
  const found: Item[] = []
  for (let rest = body; rest.length;) {
    const [item, left] = next(rest, depth + 1)
    found.push(item)
    rest = left
  }
  return found
}

export function bytesItem(item: Item | undefined): Bytes {
  if (!(item instanceof Uint8Array)) throw new Malformed('not bytes')
  return item
}

/** `found`: a value, or null where the proof shows that there is none. Otherwise the reference to follow and the path left. */
type Step = { found: Bytes | null } | { reference: Item; path: string }

/** Value under `keccak256(key)` in the trie with this root, by its proof; null if the proof shows that there is none. */
export function trieValue(root: Bytes, key: Bytes, nodes: Bytes[]): Bytes | null {
  let path = bareHex(keccak256(key))
  let expected: Item = root
  for (const node of nodes) {
    if (!(expected instanceof Uint8Array) || expected.length !== 32 || !equal(keccak256(node), expected))
      throw new Malformed("a proof node does not hash to its parent's reference")
    let step = stepInto(rlpDecode(node), path)
    while ('reference' in step && Array.isArray(step.reference)) step = stepInto(step.reference, step.path)
    if ('found' in step) return step.found
    expected = step.reference
    path = step.path
  }
  throw new Malformed('the proof ends before its value')
}

function stepInto(node: Item, path: string): Step {
  if (!Array.isArray(node) || (node.length !== 2 && node.length !== 17)) throw new Malformed('not a trie node')
  return node.length === 17 ? branch(node, path) : short(node, path)
}

function branch(node: Item[], path: string): Step {
  if (!path) return { found: bytesItem(node[16]) }
  const child = node[parseInt(path[0]!, 16)]!
  const empty = child instanceof Uint8Array && !child.length
  return empty ? { found: null } : { reference: child, path: path.slice(1) }
}

/** A leaf or an extension. */
function short(node: Item[], path: string): Step {
  const nibbles = bareHex(bytesItem(node[0]))
  if (!nibbles) throw new Malformed('not a trie node')
  const flags = parseInt(nibbles[0]!, 16)
  const prefix = nibbles.slice(flags & 1 ? 1 : 2)
  if (flags & 2) return { found: path === prefix ? bytesItem(node[1]) : null }
  return path.startsWith(prefix) && prefix ? { reference: node[1]!, path: path.slice(prefix.length) } : { found: null }
}

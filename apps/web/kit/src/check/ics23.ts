/** ICS-23 proofs that a key has a value in a tree, or that it has none: IAVL trees, and the tree over all stores of a chain. */
import { sha256 } from '@noble/hashes/sha2'
import { concat, equal, toHex, type Bytes } from '../bytes'
import { bytesField, message, numberField, uvarint, varint, type Fields } from './protobuf'
import { Malformed } from './read'

const SIZE = Uint8Array.of(0x20)
const HASH = 32

/** How a tree is hashed. `head`: numbers before a node's hashes; `first`: the byte before a node's, instead of numbers; `length`: whether
 * each child's hash has its length before it. */
interface Shape {
  head: number
  first: number | null
  length: Bytes
}

/** A node of an IAVL tree begins with its height, size and version, a leaf with height 0. */
export const IAVL: Shape = { head: 3, first: null, length: SIZE }
/** The tree over all stores is RFC 6962's. */
export const STORES: Shape = { head: 1, first: 1, length: new Uint8Array(0) }

/** A node's bytes before and after the child that is proved, and whether that is the left one. */
interface Step {
  prefix: Bytes
  suffix: Bytes
  left: boolean
}

interface Existence {
  key: Bytes
  value: Bytes
  root: Bytes
  /** From the leaf up. */
  path: Step[]
}

/** Root of the tree and the key's value, of a CommitmentProof; an empty value: the tree has none. Throws Malformed if it proves neither. */
export function provedValue(proof: Bytes, key: Bytes, shape: Shape): { root: Bytes; value: Bytes } {
  const fields = message(proof)
  const kinds = [...fields.keys()]
  if (kinds.length !== 1) throw new Malformed('not a proof of a key')
  if (kinds[0] === 1) {
    const { key: there, root, value } = existence(bytesField(fields, 1), shape)
    if (!equal(there, key)) throw new Malformed('a proof of another key')
    return { root, value }
  }
  if (kinds[0] !== 2) throw new Malformed('not a proof of a key')
  return { root: absent(message(bytesField(fields, 2)), key, shape), value: new Uint8Array(0) }
}

function existence(data: Bytes, shape: Shape): Existence {
  const fields = message(data)
  const [key, value, leaf] = [bytesField(fields, 1), bytesField(fields, 2), leafPrefix(bytesField(fields, 3), shape)]
  if (!key.length || !value.length) throw new Malformed('a proof of nothing')
  const path = (fields.get(4) ?? []).map((op) => step(op, shape))
  let root = sha256(concat(leaf, uvarint(key.length), key, SIZE, sha256(value))) as Bytes
  for (const { prefix, suffix } of path) root = sha256(concat(prefix, root, suffix)) as Bytes
  return { key, value, root, path }
}

function leafPrefix(op: Bytes, shape: Shape): Bytes {
  const fields = message(op)
  const kind = [1, 2, 3, 4].map((number) => numberField(fields, number)).join()
  const prefix = bytesField(fields, 5)
  if (kind !== '1,0,1,1' || prefix[0] !== 0 || afterHead(prefix, shape).length)
    throw new Malformed('a leaf of another kind of tree')
  return prefix
}

function step(op: bigint | Bytes, shape: Shape): Step {
  if (typeof op === 'bigint') throw new Malformed('a field of another type')
  const fields = message(op)
  const [prefix, suffix] = [bytesField(fields, 2), bytesField(fields, 3)]
  if (numberField(fields, 1) !== 1n || prefix[0] === 0) throw new Malformed('a node of another kind of tree')
  const [other, rest] = [shape.length.length + HASH, afterHead(prefix, shape)]
  if (equal(rest, shape.length) && suffix.length === other && startsWith(suffix, shape.length))
    return { prefix, suffix, left: true }
  const right = rest.length === other + shape.length.length && startsWith(rest, shape.length)
  if (!suffix.length && right && equal(rest.slice(other), shape.length)) return { prefix, suffix, left: false }
  throw new Malformed('a node of another shape')
}

/** What follows a node's own numbers. */
function afterHead(prefix: Bytes, shape: Shape): Bytes {
  if (shape.first !== null) return prefix[0] === 0 || prefix[0] === shape.first ? prefix.slice(1) : prefix
  let at = 0
  for (let i = 0; i < shape.head; i++) at = varint(prefix, at)[1]
  return prefix.slice(at)
}

const startsWith = (data: Bytes, head: Bytes): boolean => equal(data.slice(0, head.length), head)

/** Root of a tree in which two neighbours, or the first or last leaf, leave no room for the key. */
function absent(fields: Fields, key: Bytes, shape: Shape): Bytes {
  const [left, right] = [2, 3].map((n) => (fields.has(n) ? existence(bytesField(fields, n), shape) : null))
  if ((left && !before(left.key, key)) || (right && !before(key, right.key)))
    throw new Malformed('the key does not lie between its neighbours')
  let holds = false
  if (left && right) holds = equal(left.root, right.root) && neighbours(left.path, right.path)
  else if (left) holds = left.path.every((node) => !node.left)
  else if (right) holds = right.path.every((node) => node.left)
  if (!holds) throw new Malformed('not a proof of absence')
  return (left ?? right)!.root
}

/** Whether one key comes before another. */
const before = (a: Bytes, b: Bytes): boolean => toHex(a) < toHex(b)

/** Whether two leaves of one tree have none between them: below the node where their ways part, one keeps to the right and the other to
 * the left. */
function neighbours(left: Step[], right: Step[]): boolean {
  const [a, b] = [[...left].reverse(), [...right].reverse()]
  while (a.length && b.length && sameStep(a[0]!, b[0]!)) [a, b].forEach((path) => path.shift())
  const [parted, other] = [a.shift(), b.shift()]
  return !!parted?.left && !!other && !other.left && a.every((node) => !node.left) && b.every((node) => node.left)
}

const sameStep = (a: Step, b: Step): boolean => a.left === b.left && equal(a.prefix, b.prefix) && equal(a.suffix, b.suffix)

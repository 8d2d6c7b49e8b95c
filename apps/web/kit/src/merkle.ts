/** Inclusion in a tree of the shape of RFC 9162 with SM3. */
import { concat, equal, type Bytes } from './bytes'
import { sm3 } from './crypto'

const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)]

export const leafHash = (data: Uint8Array): Bytes => sm3(concat(LEAF, data))
export const nodeHash = (left: Uint8Array, right: Uint8Array): Bytes => sm3(concat(NODE, left, right))

/** Root of a whole tree; leaves are leaf hashes. */
export function treeRoot(leaves: Uint8Array[]): Bytes {
  if (leaves.length === 0) return sm3(new Uint8Array(0))
  if (leaves.length === 1) return Uint8Array.from(leaves[0]!)
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return nodeHash(treeRoot(leaves.slice(0, split)), treeRoot(leaves.slice(split)))
}

/** The root that an audit path leads to (RFC 9162, 2.1.3.2). Null where the path has the wrong length. */
export function rootFromPath(leaf: Uint8Array, index: number, size: number, path: Uint8Array[]): Bytes | null {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return null
  let [fn, sn] = [BigInt(index), BigInt(size - 1)]
  let hash = Uint8Array.from(leaf)
  for (const sibling of path) {
    if (sn === 0n) return null
    if (fn & 1n || fn === sn) {
      hash = nodeHash(sibling, hash)
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    } else hash = nodeHash(hash, sibling)
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  return sn === 0n ? hash : null
}

/** Whether leaf data is at `index` of the tree with this root and size. */
export function included(data: Uint8Array, index: number, size: number, path: Uint8Array[], root: Uint8Array): boolean {
  const found = rootFromPath(leafHash(data), index, size, path)
  return found !== null && equal(found, root)
}

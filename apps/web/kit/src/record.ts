/** A record committed element by element, and the check of a (cut) release against its index entry (core/record.py). */
import { concat, equal, kindWord, uint, word, type Bytes, type Hex } from './bytes'
import { canonicalBytes, type Json } from './canonical'
import { hmacSm3 } from './crypto'
import { leafHash, treeRoot } from './merkle'

export interface Disclosure {
  schema: Hex
  elementCount: number
  commitmentSalt: Hex
  /** Released values and their salts, withheld leaf hashes; keys are element numbers as decimal text. */
  values: Record<string, Json>
  salts: Record<string, Hex>
  hashes: Record<string, Hex>
}

const has = (map: object, n: number): boolean => Object.hasOwn(map, String(n))

function elementLeaf(d: Disclosure, n: number): Bytes {
  if (has(d.hashes, n)) return word(d.hashes[n]!)
  return leafHash(concat(uint(n, 2), word(d.salts[n]!), canonicalBytes(d.values[n])))
}

/** The commitment that a release leads to. Throws if it does not name every element exactly once. */
export function disclosedCommitment(d: Disclosure): Bytes {
  const numbers = Array.from({ length: d.elementCount }, (_, i) => i + 1)
  const once = numbers.every((n) => has(d.values, n) !== has(d.hashes, n) && has(d.values, n) === has(d.salts, n))
  const named = Object.keys(d.values).length + Object.keys(d.hashes).length
  if (!once || named !== numbers.length || numbers.length === 0 || numbers.length > 256)
    throw new RangeError('not a whole disclosure')
  const root = treeRoot(numbers.map((n) => elementLeaf(d, n)))
  return hmacSm3(word(d.commitmentSalt), concat(kindWord('healthtrust/record/v1'), word(d.schema), root))
}

/** Whether the released values are those committed in the index entry. */
export function disclosureHolds(d: Disclosure, commitment: Uint8Array): boolean {
  try {
    return equal(disclosedCommitment(d), commitment)
  } catch {
    return false
  }
}

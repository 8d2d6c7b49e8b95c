/** What the ledger part of a bundle proves: words of contracts at blocks, headers, signatures; filled by each ledger's reader. */
import { concat, equal, toBigInt, uint, type Bytes } from '../bytes'
import { at, hex, Malformed, Missing, object, type Value } from './read'
import { keccak256 } from './trie'
import type { Signed } from './x509'

/** Base slots of the contracts' mappings (solc storage layout). */
export const SLOTS = { consents: 0, batches: 1, receipts: 2, emergencies: 3, keys: 0, credentials: 2, organisations: 2 } as const
const MOST_HEADERS = 10_000

interface Proved {
  contract: string
  block: string
  /** By slot. */
  words: Map<bigint, Bytes>
}

export interface Header {
  parent: string
  time: bigint
  height: bigint
}

/** Where a mapping keeps the value of `key`. */
export const mapping = (key: Uint8Array, base: number | bigint): bigint => toBigInt(keccak256(concat(key, uint(base, 32))))

/** A block's signatures: by key, what it is said to have signed. */
export interface Commit {
  chain: Bytes
  votes: Map<string, { said: Bytes; signature: Bytes }>
}

export class Evidence {
  readonly proved: Proved[] = []
  readonly headers = new Map<string, Header>()
  /** The blocks whose headers it rests on. */
  readonly resting = new Set<string>()
  /** By block: what validators signed. */
  readonly commits = new Map<string, Commit>()
  /** On Fabric: whose peers endorsed the answers that all words are from. */
  endorsers: Signed[] | null = null
  /** On Fabric, by block: who ordered it. */
  readonly orderers = new Map<string, Signed[]>()

  /** A proved word at a block (null: at any block). Throws Missing if it is not shown. */
  word(contract: string, block: string | null, slot: bigint): Bytes {
    for (const p of this.proved) {
      const found = p.contract === contract && (block === null || block === p.block) ? p.words.get(slot) : undefined
      if (found) return found
    }
    throw new Missing()
  }

  key(contract: string, block: string, slot: bigint): Bytes {
    return concat(this.word(contract, block, slot), this.word(contract, block, slot + 1n))
  }

  wordsOf(contract: string, block: string): Map<bigint, Bytes> {
    let found = this.proved.find((p) => p.contract === contract && p.block === block)
    if (!found) this.proved.push((found = { contract, block, words: new Map() }))
    return found.words
  }
}

/** Addresses by contract name. */
export const contractsOf = (ledger: Value): Map<string, Bytes> =>
  new Map(Object.entries(object(at(ledger, 'contracts'))).map(([name, address]) => [name, hex(address, 20)]))

/** Block hashes with the encoded headers said to be theirs. */
export function headersOf(ledger: Value): [Bytes, Bytes][] {
  const headers = Object.entries(object(at(ledger, 'headers')))
  if (headers.length > MOST_HEADERS) throw new Malformed('too many headers')
  return headers.map(([block, encoded]) => [hex(block), hex(encoded, null)])
}

/** Slot and word of an item of a proof, once `stored` leads to the same word. */
export function provedItem(item: Value, stored: (slot: Bytes) => Bytes): [bigint, Bytes] {
  const [slot, value] = [hex(at(item, 'slot')), hex(at(item, 'value'))]
  if (!equal(stored(slot), value)) throw new Malformed('a storage proof does not lead to its value')
  return [toBigInt(slot), value]
}

/** Fields of a packed storage word, lowest first; widths in bits. */
export function unpack(word: Uint8Array, ...widths: number[]): bigint[] {
  let rest = toBigInt(word)
  return widths.map((width) => {
    const field = rest & ((1n << BigInt(width)) - 1n)
    rest >>= BigInt(width)
    return field
  })
}

/** The ledger part of a bundle: every header and storage proof checked, then asked for words. */
import { concat, equal, leftPadded, toBigInt, toHex, uint, type Bytes } from '../bytes'
import { at, hex, hexList, list, Malformed, Missing, object, type Value } from './read'
import { bytesItem, keccak256, rlpDecode, trieValue } from './trie'

/** Base slots of the contracts' mappings (solc storage layout). */
export const SLOTS = { consents: 0, batches: 1, receipts: 2, keys: 0, credentials: 2, organisations: 2 } as const
const MOST_HEADERS = 10_000
const EMPTY_TRIE = keccak256(Uint8Array.of(0x80))

interface Proved {
  contract: string
  block: string
  /** By slot. */
  words: Map<bigint, Bytes>
}

export interface Header {
  stateRoot: Bytes
  parent: string
  time: bigint
  height: bigint
}

/** Where a mapping keeps the value of `key`. */
export const mapping = (key: Uint8Array, base: number | bigint): bigint => toBigInt(keccak256(concat(key, uint(base, 32))))

export class Evidence {
  readonly proved: Proved[] = []
  readonly headers = new Map<string, Header>()

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

/** Throws Malformed if one header or proof does not hold. */
export function readEvidence(ledger: Value): Evidence {
  // Signatures of validators (docs/formats.md §9) are checked by `healthtrust verify` alone: not shown here, and not false.
  if (at(ledger, 'kind') === 'comet') throw new Missing()
  if (at(ledger, 'kind') !== 'evm') throw new Malformed('a ledger of an unknown kind')
  const evidence = new Evidence()
  const named = Object.entries(object(at(ledger, 'contracts')))
  const contracts = new Map(named.map(([name, address]) => [name, hex(address, 20)]))
  const headers = Object.entries(object(at(ledger, 'headers')))
  if (headers.length > MOST_HEADERS) throw new Malformed('too many headers')
  for (const [block, encoded] of headers) evidence.headers.set(toHex(hex(block)), header(hex(block), hex(encoded, null)))
  for (const proof of list(at(ledger, 'proofs'))) readProof(evidence, contracts, proof)
  return evidence
}

function header(block: Bytes, encoded: Bytes): Header {
  const fields = rlpDecode(encoded)
  if (!equal(keccak256(encoded), block) || !Array.isArray(fields) || fields.length < 15)
    throw new Malformed('a header does not hash to its block')
  const [parent, stateRoot, height, time] = [0, 3, 8, 11].map((i) => bytesItem(fields[i]))
  return { stateRoot: stateRoot!, parent: toHex(parent!), time: toBigInt(time!), height: toBigInt(height!) }
}

function readProof(evidence: Evidence, contracts: Map<string, Bytes>, proof: Value): void {
  const [contract, block] = [at(proof, 'contract'), toHex(hex(at(proof, 'block')))]
  const [address, known] = [contracts.get(String(contract)), evidence.headers.get(block)]
  if (typeof contract !== 'string' || !address || !known) throw new Malformed('a proof of an unknown block or contract')
  const root = storageRoot(known.stateRoot, address, hexList(at(proof, 'account'), null))
  const words = evidence.wordsOf(contract, block)
  for (const item of list(at(proof, 'storage'))) {
    const [slot, value] = [hex(at(item, 'slot')), hex(at(item, 'value'))]
    if (!equal(stored(root, slot, hexList(at(item, 'proof'), null)), value))
      throw new Malformed('a storage proof does not lead to its value')
    words.set(toBigInt(slot), value)
  }
}

function storageRoot(stateRoot: Bytes, address: Bytes, nodes: Bytes[]): Bytes {
  const encoded = trieValue(stateRoot, address, nodes)
  const account = encoded?.length ? rlpDecode(encoded) : null
  if (!Array.isArray(account) || account.length !== 4) throw new Malformed('the contract is not in the state')
  return bytesItem(account[2])
}

function stored(root: Bytes, slot: Bytes, nodes: Bytes[]): Bytes {
  if (!nodes.length) {
    if (!equal(root, EMPTY_TRIE)) throw new Malformed('a storage proof without nodes')
    return new Uint8Array(32)
  }
  const encoded = trieValue(root, slot, nodes)
  if (encoded === null) return new Uint8Array(32)
  const value = bytesItem(rlpDecode(encoded))
  if (value.length > 32) throw new Malformed('a stored word is no word')
  return leftPadded(value)
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

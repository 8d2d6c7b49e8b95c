/** The ledger part of an EVM chain: block headers, and accounts and storage words in its Merkle-Patricia tries. */
import { equal, leftPadded, toBigInt, toHex, type Bytes } from '../bytes'
import { contractsOf, headersOf, provedItem, type Evidence, type Header } from './evidence'
import { at, hex, hexList, list, Malformed, type Value } from './read'
import { bytesItem, keccak256, rlpDecode, trieValue } from './trie'

const EMPTY_TRIE = keccak256(Uint8Array.of(0x80))

/** Fills the evidence. Throws Malformed. */
export function readEvm(evidence: Evidence, ledger: Value): void {
  const [contracts, roots] = [contractsOf(ledger), new Map<string, Bytes>()]
  for (const [block, encoded] of headersOf(ledger)) {
    const { stateRoot, ...shown } = header(block, encoded)
    evidence.headers.set(toHex(block), shown)
    roots.set(toHex(block), stateRoot)
  }
  for (const proof of list(at(ledger, 'proofs'))) readProof(evidence, contracts, roots, proof)
}

function header(block: Bytes, encoded: Bytes): Header & { stateRoot: Bytes } {
  const fields = rlpDecode(encoded)
  if (!equal(keccak256(encoded), block) || !Array.isArray(fields) || fields.length < 15)
    throw new Malformed('a header does not hash to its block')
  const [parent, stateRoot, height, time] = [0, 3, 8, 11].map((i) => bytesItem(fields[i]))
  return { stateRoot: stateRoot!, parent: toHex(parent!), time: toBigInt(time!), height: toBigInt(height!) }
}

function readProof(evidence: Evidence, contracts: Map<string, Bytes>, roots: Map<string, Bytes>, proof: Value): void {
  const [contract, block] = [at(proof, 'contract'), toHex(hex(at(proof, 'block')))]
  const [address, stateRoot] = [contracts.get(String(contract)), roots.get(block)]
  if (typeof contract !== 'string' || !address || !stateRoot) throw new Malformed('a proof of an unknown block or contract')
  const root = storageRoot(stateRoot, address, hexList(at(proof, 'account'), null))
  const words = evidence.wordsOf(contract, block)
  evidence.resting.add(block)
  for (const item of list(at(proof, 'storage'))) {
    const [slot, word] = provedItem(item, (slot) => stored(root, slot, hexList(at(item, 'proof'), null)))
    words.set(slot, word)
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

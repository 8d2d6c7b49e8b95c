/** The ledger part of a chain of CometBFT validators: headers, the validators' signatures under them, and proofs of its stores. */
import { ed25519 } from '@noble/curves/ed25519'
import { sha256 } from '@noble/hashes/sha2'
import { concat, equal, leftPadded, toHex, uint, utf8, type Bytes } from '../bytes'
import { contractsOf, headersOf, provedItem, type Commit, type Evidence } from './evidence'
import { IAVL, provedValue, STORES } from './ics23'
import { bytesField, message, numberField, tagged, taken, uvarint, varint } from './protobuf'
import { at, bytesOf, hex, hexList, integer, isObject, list, Malformed, object, type Value } from './read'

const FIELDS = 14
const EVM_STORE = utf8('evm')
const MOST_POWER = 1n << 60n

/** `app`: root of all stores after the block before it. */
interface Header {
  chain: Bytes
  height: bigint
  time: bigint
  parent: string
  app: Bytes
}

/** Fills the evidence; a block's state is committed to by the header of the block after it. Throws Malformed. */
export function readComet(evidence: Evidence, ledger: Value): void {
  const contracts = contractsOf(ledger)
  const headers = new Map<string, Header>()
  for (const [block, encoded] of headersOf(ledger)) headers.set(toHex(block), header(block, encoded))
  for (const [block, { parent, time, height }] of headers) evidence.headers.set(block, { parent, time, height })
  for (const [name, commit] of Object.entries(object(at(ledger, 'commits')))) readCommit(evidence, headers, hex(name), commit)
  const after = new Map([...headers].map(([block, { parent, app }]) => [parent, { block, app }]))
  if (after.size !== headers.size) throw new Malformed('two blocks after the same one')
  for (const proof of list(at(ledger, 'proofs'))) {
    const [contract, block] = [at(proof, 'contract'), toHex(hex(at(proof, 'block')))]
    const [address, following] = [contracts.get(String(contract)), after.get(block)]
    if (typeof contract !== 'string' || !address || !following) throw new Malformed('a proof of an unknown block or contract')
    for (const known of [block, following.block]) evidence.resting.add(known)
    const words = evidence.wordsOf(contract, block)
    for (const item of list(at(proof, 'storage'))) {
      const [slot, word] = provedItem(item, (slot) => kept(following.app, address, slot, hexList(at(item, 'proof'), null, 2)))
      words.set(slot, word)
    }
  }
}

function header(block: Bytes, encoded: Bytes): Header {
  const leaves = headerFields(encoded)
  if (!equal(headerHash(leaves), block)) throw new Malformed('a header does not hash to its block')
  const [chain, height, time, parent, app] = [1, 2, 3, 4, 10].map((i) => message(leaves[i]!))
  return {
    chain: bytesField(chain!, 1),
    height: numberField(height!, 1),
    time: numberField(time!, 1),
    parent: toHex(bytesField(parent!, 1)),
    app: bytesField(app!, 1),
  }
}

/** The encoded fields of a header, each with its length before it. */
function headerFields(encoded: Bytes): Bytes[] {
  const fields: Bytes[] = []
  for (let at = 0; at < encoded.length;) {
    const [size, start] = varint(encoded, at)
    const field = taken(encoded, start, size)
    fields.push(field)
    at = start + field.length
  }
  if (fields.length !== FIELDS) throw new Malformed('not the fields of a header')
  return fields
}

/** Root over the fields, which is the block's hash: SHA-256, shape of RFC 6962. */
function headerHash(leaves: Bytes[]): Bytes {
  if (leaves.length === 1) return sha256(concat(Uint8Array.of(0), leaves[0]!)) as Bytes
  const split = 2 ** (31 - Math.clz32(leaves.length - 1))
  return sha256(concat(Uint8Array.of(1), headerHash(leaves.slice(0, split)), headerHash(leaves.slice(split)))) as Bytes
}

function readCommit(evidence: Evidence, headers: Map<string, Header>, block: Bytes, commit: Value): void {
  const known = headers.get(toHex(block))
  if (!known) throw new Malformed('signatures of an unknown block')
  const votes: Commit['votes'] = new Map()
  for (const one of list(at(commit, 'signatures'))) {
    const said = voteBytes(known, block, commit, one)
    votes.set(toHex(hex(at(one, 'key'))), { said, signature: hex(at(one, 'signature'), 64) })
  }
  evidence.commits.set(toHex(block), { chain: known.chain, votes })
}

/** What a validator signs for a block: CometBFT's CanonicalVote, a precommit, with its length before it. */
function voteBytes(header: Header, block: Bytes, commit: Value, signature: Value): Bytes {
  const [total, round] = [integer(at(commit, 'parts', 'total'), (1n << 32n) - 1n), integer(at(commit, 'round'), (1n << 31n) - 1n)]
  const [seconds, nanos] = [integer(at(signature, 'seconds')), integer(at(signature, 'nanos'), 999_999_999n)]
  const parts = concat(Uint8Array.of(8), uvarint(total), tagged(2, hex(at(commit, 'parts', 'hash'))))
  const vote = concat(
    Uint8Array.of(8, 2, 0x11),
    littleEndian(header.height),
    round ? concat(Uint8Array.of(0x19), littleEndian(round)) : new Uint8Array(0),
    tagged(4, concat(tagged(1, block), tagged(2, parts))),
    tagged(5, concat(numbered(1, seconds), numbered(2, nanos))),
    tagged(6, header.chain),
  )
  return concat(uvarint(vote.length), vote)
}

const littleEndian = (value: bigint): Bytes => uint(value, 8).reverse()
/** A field that is a number; nothing where it is zero. */
const numbered = (number: number, value: bigint): Bytes =>
  value ? concat(Uint8Array.of(number << 3), uvarint(value)) : new Uint8Array(0)

/** A word of a contract under the root of all stores; zero where the store shows that it has none. */
function kept(app: Bytes, address: Bytes, slot: Bytes, proofs: Bytes[]): Bytes {
  if (proofs.length !== 2) throw new Malformed('not the two proofs of a word')
  const evm = provedValue(proofs[0]!, concat(Uint8Array.of(2), address, slot), IAVL)
  const store = provedValue(proofs[1]!, EVM_STORE, STORES)
  if (!equal(store.root, app) || !equal(store.value, evm.root) || evm.value.length > 32)
    throw new Malformed("the store is not under the header's root")
  return leftPadded(evm.value)
}

/** Blocks that validators of the checkpoint with more than two thirds of their power have signed. */
export function signedBlocks(evidence: Evidence, trust: Value): string[] {
  if (!evidence.commits.size || !isObject(trust) || !Object.hasOwn(trust, 'validators')) return []
  const chain = bytesOf(at(trust, 'chain'))
  const powers = new Map(
    list(at(trust, 'validators')).map((one) => [toHex(hex(at(one, 'key'))) as string, integer(at(one, 'power'), MOST_POWER)]),
  )
  const all = [...powers.values()].reduce((sum, power) => sum + power, 0n)
  return [...evidence.commits].flatMap(([block, commit]) => {
    let signed = 0n
    for (const [key, { said, signature }] of commit.votes)
      if (powers.has(key) && ed25519Verify(hex(key), said, signature)) signed += powers.get(key)!
    return equal(commit.chain, chain) && 3n * signed > 2n * all ? [block] : []
  })
}

/** Whether R‖s holds for the message under the key, by RFC 8032's strict rules. */
function ed25519Verify(key: Bytes, said: Bytes, signature: Bytes): boolean {
  return ed25519.verify(signature, said, key, { zip215: false })
}

/** The ledger part of a Fabric channel: answers that members' peers endorsed, and the decision's block, which orderers signed. */
import { sha256 } from '@noble/hashes/sha2'
import { bareHex, concat, equal, text, toBigInt, toHex, uint, type Bytes } from '../bytes'
import { mapping, SLOTS, type Evidence } from './evidence'
import { bytesField, message, numberField, type Fields } from './protobuf'
import { at, hex, integer, list, Malformed, object, parseJson, type Value } from './read'
import { issuedBy, readCertificate, signedBy, type Signed } from './x509'

/** In evidence: what was so at some block after the decision's. */
const LATER = ''
const [LARGEST_NUMBER, LARGEST_HEIGHT, MOST_ENVELOPES] = [1n << 53n, (1n << 63n) - 1n, 100_000]
const [U8, U32] = [255n, (1n << 32n) - 1n]

const within = (fields: Fields, ...path: number[]): Fields =>
  path.reduce((outer, number) => message(bytesField(outer, number)), fields)
const many = (fields: Fields, number: number): Bytes[] =>
  (fields.get(number) ?? []).map((value) => {
    if (typeof value === 'bigint') throw new Malformed('a field of another type')
    return value
  })

/** Fills the evidence with words put where the EVM's contracts have them. Throws Malformed. */
export function readFabric(evidence: Evidence, ledger: Value): void {
  const { hash, number } = readBlock(evidence, at(ledger, 'block'))
  const said = readAnswers(hex(at(ledger, 'read'), null))
  if (said.channel !== at(ledger, 'channel') || said.chaincode !== at(ledger, 'chaincode'))
    throw new Malformed('an answer of another chaincode')
  evidence.endorsers = said.endorsers
  const afterwards = [...said.versions.values()].some((written) => written >= number)
  for (const [name, args, answer] of said.answers) {
    if (!Object.hasOwn(WORDS, name)) throw new Malformed('a question that proves nothing')
    const { key, contract, slot, words } = WORDS[name]!(args, answer)
    const written = said.versions.get(key)
    const held = afterwards && written !== undefined && written <= number
    const found = evidence.wordsOf(contract, held ? hash : LATER)
    words.forEach((word, i) => found.set(slot + BigInt(i), word))
  }
}

interface Answers {
  channel: string
  chaincode: string
  answers: [string, Value, Value][]
  /** By key of the state: the block that wrote it last. */
  versions: Map<string, bigint>
  endorsers: Signed[]
}

/** An endorsed transaction (common.Payload) that asks many questions. */
function readAnswers(payload: Bytes): Answers {
  const envelope = message(payload)
  const head = within(envelope, 1)
  const action = within(envelope, 2, 1, 2)
  const [channelHeader, signatureHeader, proposed] = [bytesField(head, 1), bytesField(head, 2), bytesField(action, 1)]
  const endorsed = within(action, 2)
  const answer = bytesField(endorsed, 1)
  const said = message(answer)
  if (!equal(bytesField(said, 1), sha256(concat(channelHeader, signatureHeader, proposed))))
    throw new Malformed('what was endorsed is another question')
  const did = within(said, 2)
  const chaincode = text(bytesField(within(did, 4), 2))
  const spec = within(message(proposed), 1, 1)
  if (text(bytesField(within(spec, 2), 2)) !== chaincode) throw new Malformed('another chaincode answered than was asked')
  return {
    channel: text(bytesField(message(channelHeader), 4)),
    chaincode,
    answers: pairs(many(within(spec, 3), 1), within(did, 3)),
    versions: readVersions(bytesField(did, 1), chaincode),
    endorsers: many(endorsed, 2).map((one) => {
      const [identity, signature] = [bytesField(message(one), 1), bytesField(message(one), 2)]
      return signedBy(identity, concat(answer, identity), signature)
    }),
  }
}

/** Each question with its answer. */
function pairs(args: Bytes[], response: Fields): Answers['answers'] {
  const [name, ...asked] = args.map(text)
  if (numberField(response, 1) !== 200n || name !== 'many' || asked.length % 2)
    throw new Malformed('not an answer to many questions')
  const answers = list(parseJson(text(bytesField(response, 3))))
  if (answers.length !== asked.length / 2) throw new Malformed('not an answer to each question')
  return answers.map((answer, i) => [asked[2 * i]!, parseJson(asked[2 * i + 1]!), answer])
}

function readVersions(results: Bytes, chaincode: string): Map<string, bigint> {
  const found = new Map<string, bigint>()
  for (const space of many(message(results), 2).map(message)) {
    if (text(bytesField(space, 1)) !== chaincode) continue
    for (const read of many(within(space, 2), 1).map(message))
      if (read.has(2)) found.set(text(bytesField(read, 1)), numberField(within(read, 2), 1))
  }
  return found
}

/** The block as it was ordered. Throws Malformed if an orderer's signature does not hold. */
function readBlock(evidence: Evidence, shown: Value): { hash: string; number: bigint } {
  const [number, parent] = [integer(at(shown, 'number'), LARGEST_HEIGHT), hex(at(shown, 'previous'))]
  const data = list(at(shown, 'data'), MOST_ENVELOPES).map((one) => hex(one, null))
  const flags = hex(at(shown, 'flags'), null)
  const fields = concat(derInteger(number), derValue(4, parent), derValue(4, sha256(concat(...data))))
  const header = derValue(0x30, fields)
  const hash: string = toHex(sha256(header))
  if (flags.length !== data.length || !flags.includes(0)) throw new Malformed('a block in which nothing counts')
  const times = data.filter((_, i) => flags[i] === 0).map(sentAt)
  const metadata = message(hex(at(shown, 'signatures'), null))
  const orderers = many(metadata, 2)
    .map(message)
    .filter((one) => one.has(1)) // SmartBFT's name a number instead: such a block has to be in the checkpoint
    .map((one) => {
      const said = concat(bytesField(metadata, 1), bytesField(one, 1), header)
      return signedBy(bytesField(within(one, 1), 1), said, bytesField(one, 2))
    })
  const time = times.reduce((newest, one) => (one > newest ? one : newest))
  evidence.headers.set(hash, { parent: toHex(parent), time, height: number })
  evidence.orderers.set(hash, orderers)
  evidence.resting.add(hash)
  return { hash, number }
}

function derInteger(value: bigint): Bytes {
  const digits = value.toString(16)
  const plain = uint(value, Math.ceil(digits.length / 2))
  return derValue(2, plain[0]! & 0x80 ? concat(Uint8Array.of(0), plain) : plain)
}

const derValue = (tag: number, content: Uint8Array): Bytes => concat(Uint8Array.of(tag, content.length), content)

/** Seconds since 1970 at which a transaction says it was made. */
const sentAt = (envelope: Bytes): bigint => numberField(within(message(bytesField(within(message(envelope), 1, 1), 1)), 3), 1)

// --- words ---

interface Words {
  key: string
  contract: string
  slot: bigint
  words: Bytes[]
}

const stateKey = (family: string, id: Bytes, ...more: string[]): string =>
  [family, bareHex(id), ...more].map((part) => `\0${part}`).join('') + '\0'

/** A number as chaincode writes it: JSON's up to 32 bits, decimal text above. */
function decimal(value: Value): bigint {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,77})$/.test(value)) return BigInt(value)
  return integer(value, LARGEST_NUMBER)
}

function packed(...fields: [bigint, number][]): Bytes {
  const value = fields.reduce((sum, [field, shift]) => sum | (field << BigInt(shift)), 0n)
  if (value >> 256n) throw new Malformed('a number out of range')
  return uint(value, 32)
}

const word = (value: bigint): Bytes => packed([value, 0])

function batch(contract: string, family: string, base: number, first: string): (args: Value, answer: Value) => Words {
  return (args, answer) => {
    const [organisation, number] = [hex(at(args, 'organisation')), decimal(at(args, 'batch'))]
    return {
      key: stateKey(`${contract}/${family}`, organisation, number.toString(16).padStart(16, '0')),
      contract,
      slot: mapping(word(number), mapping(organisation, base)),
      words: [hex(at(answer, 'root')), packed([decimal(at(answer, first)), 0], [decimal(at(answer, 'count')), 64])],
    }
  }
}

const WORDS: { [name: string]: (args: Value, answer: Value) => Words } = {
  'DataIndex.batchOf': batch('DataIndex', 'batch', SLOTS.batches, 'firstSequence'),
  'Access.receiptBatchOf': batch('Access', 'receipt-batch', SLOTS.receipts, 'firstNumber'),
  'Alliance.organisation': (args, answer) => {
    const id = hex(at(args, 'id'))
    const words = [word(integer(at(answer, 'status'), U8)), hex(at(answer, 'x')), hex(at(answer, 'y'))]
    return { key: stateKey('Alliance/organisation', id), contract: 'Alliance', slot: mapping(id, SLOTS.organisations), words }
  },
  'Identity.credentialOf': (args, answer) => {
    const id = hex(at(args, 'practitioner'))
    const period: [bigint, number][] = [
      [decimal(at(answer, 'notBefore')), 0],
      [decimal(at(answer, 'notAfter')), 64],
    ]
    const rest: [bigint, number][] = [
      [integer(at(answer, 'roles'), U32), 128],
      [integer(at(answer, 'status'), U8), 160],
    ]
    const words = [...['organisation', 'x', 'y'].map((name) => hex(at(answer, name))), packed(...period, ...rest)]
    return { key: stateKey('Identity/credential', id), contract: 'Identity', slot: mapping(id, SLOTS.credentials), words }
  },
  'Identity.keyOf': (args, answer) => {
    const id = hex(at(args, 'subject'))
    const words = [hex(at(answer, 'x')), hex(at(answer, 'y'))]
    return { key: stateKey('Identity/key', id), contract: 'Identity', slot: mapping(id, SLOTS.keys), words }
  },
  'Access.emergencyOf': (args, answer) => {
    const id = hex(at(args, 'id'))
    const times: [bigint, number][] = [
      [decimal(at(answer, 'endsAt')), 0],
      [decimal(at(answer, 'reviewBy')), 64],
    ]
    const words = [
      hex(at(answer, 'organisation')),
      hex(at(answer, 'commitment')),
      packed(...times, [integer(at(answer, 'outcome'), U8), 128]),
    ]
    return { key: stateKey('Access/emergency', id), contract: 'Access', slot: mapping(id, SLOTS.emergencies), words }
  },
  'Consent.consentOf': (args, answer) => {
    const [id, signed] = [hex(at(args, 'consent')), word(decimal(at(answer, 'packed')))]
    const [notBefore, notAfter, limit] = [signed.slice(0, 8), signed.slice(8, 16), signed.slice(16, 20)].map(toBigInt)
    const state = packed(
      [notBefore!, 0],
      [notAfter!, 64],
      [limit!, 128],
      [integer(at(answer, 'uses'), U32), 160],
      [integer(at(answer, 'status'), U8), 248],
    )
    const words = [hex(at(answer, 'subject')), hex(at(answer, 'commitment')), state]
    return { key: stateKey('Consent/consent', id), contract: 'Consent', slot: mapping(id, SLOTS.consents), words }
  },
}

// --- whose signatures count ---

/** Whether peers of more than half of the checkpoint's members endorsed; true where nothing rests on that. */
export function endorsedByMost(evidence: Evidence, trust: Value): boolean {
  if (!evidence.endorsers) return true
  const members = object(at(trust, 'members'))
  return 2 * known(evidence, evidence.endorsers, members, 'peer').size > Object.keys(members).length
}

/** Blocks signed by as many of the checkpoint's orderers as it asks for. */
export function orderedBlocks(evidence: Evidence, trust: Value): string[] {
  const [orderers, needed] = [object(at(trust, 'orderers')), integer(at(trust, 'signatures'))]
  const least = needed > 1n ? needed : 1n
  return [...evidence.orderers]
    .filter(([, signed]) => BigInt(known(evidence, signed, orderers, 'orderer').size) >= least)
    .map(([block]) => block)
}

/** Organisations of the checkpoint among the signers: by a certificate of one of their roots, for that kind of node, valid at the decision. */
function known(evidence: Evidence, signed: Signed[], organisations: { [msp: string]: Value }, unit: string): Set<string> {
  const time = [...evidence.headers.values()].reduce((newest, { time }) => (time > newest ? time : newest), 0n)
  const now = new Date(Number(time) * 1000).toISOString().replace(/\D/g, '').slice(0, 14)
  const found = new Set<string>()
  for (const { msp, certificate } of signed) {
    const named = Object.hasOwn(organisations, msp) ? organisations[msp]! : []
    const roots = list(named).map((root) => readCertificate(hex(root, null)))
    const [first, last] = certificate.period
    if (certificate.units.includes(unit) && first <= now && now <= last && issuedBy(certificate, roots)) found.add(msp)
  }
  return found
}

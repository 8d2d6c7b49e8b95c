/**
 * The checks of a proof bundle, one function a line, the same lines in the same order as `core/verify`. Each returns whether its line
 * holds, or throws Missing where what it needs is not shown; anything else thrown means that the line does not hold.
 */
import { type Bytes, concat, equal, kindWord, leftPadded, toBase64, toBigInt, toHex, uint } from '../bytes'
import { hmacSm3, sm3, sm3Times, verify as sm2Verify } from '../crypto'
import { REASONS } from '../decision'
import { leafHash, rootFromPath, treeRoot } from '../merkle'
import { canonicalBytes } from '../canonical'
import { codeNumber, decideShown, elements, reasonNumber, scopeWords } from './decide'
import { signedBlocks } from './comet'
import { endorsedByMost, orderedBlocks } from './fabric'
import { mapping, SLOTS, unpack, type Evidence } from './evidence'
import { readEvidence } from './ledger'
import {
  amount,
  at,
  bytesOf,
  hex,
  hexList,
  hexNumber,
  integer,
  isObject,
  list,
  Malformed,
  Missing,
  object,
  parseJson,
  same,
  small,
  textOf,
  type Value,
} from './read'

const ZERO = new Uint8Array(32)
const MOST_USES = 100_000
const MOST_BLOCKS = 1_000_000
const MOST_HASHES = 64
const RECEIPT_SECONDS = 3600

const schemaId = (document: Value): Bytes => sm3(concat(bytesOf('healthtrust/schema/v1\0'), canonicalBytes(document)))
const names = (doc: Value): string[] => Object.keys(object(doc))

/** What several lines read from, taken apart once. Throws for what is no bundle at all. */
export class Subject {
  readonly q: Value
  readonly state: Value
  readonly artefact: Value
  readonly entry: Bytes
  readonly receipt: Value
  readonly block: string
  readonly own: boolean
  readonly emergency: boolean
  private read: Evidence | null = null

  constructor(
    readonly bundle: Value,
    readonly trust: Value | undefined,
  ) {
    if (at(bundle, 'kind') !== 'healthtrust/proof-bundle' || amount(at(bundle, 'version')) != 1n) throw new Malformed('kind')
    this.q = at(bundle, 'decision', 'request')
    this.state = at(bundle, 'decision', 'state')
    this.artefact = at(bundle, 'consent', 'artefact')
    this.entry = hex(at(bundle, 'index', 'entry'), 256)
    this.receipt = parseJson(textOf(at(bundle, 'receipt', 'json')))
    this.block = toHex(hex(at(bundle, 'decision', 'block')))
    this.own = at(bundle, 'decision', 'reason') === 'self'
    this.emergency = isEmergency(this.artefact)
  }

  asked = (name: string): Bytes => hex(at(this.q, name))
  part = (...path: string[]): Value => at(this.bundle, ...path)
  receiptHas = (name: string, value: Uint8Array): boolean => at(this.receipt, name) === toHex(value)

  /** The ledger part, checked; throws Missing if there is none. */
  get evidence(): Evidence {
    if (!this.read) {
      const ledger = this.part('ledger')
      if (ledger === null) throw new Missing()
      this.read = readEvidence(ledger)
    }
    return this.read
  }

  receiptLeaf(): Bytes {
    return leafHash(hmacSm3(hex(this.part('receipt', 'salt')), bytesOf(this.part('receipt', 'json'))))
  }
}

function leadsTo(leaf: Uint8Array, proof: Value, root: Uint8Array): boolean {
  const [index, size] = ['leafIndex', 'treeSize'].map((name) => integer(at(proof, name)))
  const path = hexList(at(proof, 'hashes'), 32, MOST_HASHES)
  if (size! > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed('a tree beyond counting')
  const found = rootFromPath(leaf, Number(index), Number(size), path)
  return found !== null && equal(found, root)
}

/** The commitment that a release leads to; null, or Malformed thrown, where it does not name every element exactly once. */
export function disclosedCommitment(d: Value): Bytes | null {
  const count = small(at(d, 'elementCount'), 256)
  const [values, salts, hashes] = ['values', 'salts', 'hashes'].map((name) => at(d, name)) as [Value, Value, Value]
  const numbers = Array.from({ length: count }, (_, i) => String(i + 1))
  const shown = [...names(values), ...names(hashes)].sort()
  if (count < 1 || shown.join() !== [...numbers].sort().join() || names(values).sort().join() !== names(salts).sort().join())
    return null
  const leaf = (n: string): Bytes =>
    n in object(values)
      ? leafHash(concat(uint(Number(n), 2), hex(at(salts, n)), canonicalBytes(at(values, n))))
      : hex(at(hashes, n))
  const made = concat(kindWord('healthtrust/record/v1'), hex(at(d, 'schema')), treeRoot(numbers.map(leaf)))
  return hmacSm3(hex(at(d, 'commitmentSalt')), made)
}

function record({ part, entry }: Subject): boolean {
  const made = disclosedCommitment(part('record', 'disclosure'))
  return made !== null && equal(made, entry.slice(128, 160))
}

const elementNumber = (name: string): bigint => {
  if (!/^[1-9]\d*$/.test(name)) throw new Malformed('not an element number')
  return BigInt(name)
}

function withheld({ part }: Subject): boolean {
  const permitted = hexNumber(part('decision', 'fields'))
  return names(part('record', 'disclosure', 'hashes')).every((n) => !((permitted >> (elementNumber(n) - 1n)) & 1n))
}

function entryMatches({ part, entry: e, asked, q }: Subject): boolean {
  const shown = part('record')
  const ids = ['custodian', 'id', 'subject'].map((name) => toHex(hex(at(shown, name))))
  const wanted = ['custodian', 'record', 'subject'].map((name) => toHex(asked(name)))
  const inEntry = [32, 64, 96].map((from) => toHex(e.slice(from, from + 32)))
  const schemas = [schemaId(at(shown, 'schema')), e.slice(160, 192), asked('schema'), hex(at(shown, 'disclosure', 'schema'))]
  const count = BigInt(sizeOf(at(shown, 'schema', 'elements')))
  const shape = same(count, at(shown, 'disclosure', 'elementCount')) && same(BigInt(e[236]!), at(q, 'category'))
  const alive = e.slice(237, 240).every((b) => b === 0) && equal(e.slice(0, 32), kindWord('healthtrust/index-entry/v1'))
  const sameIds = ids.join() === wanted.join() && ids.join() === inEntry.join()
  return sameIds && new Set(schemas.map(toHex)).size === 1 && shape && alive
}

function sizeOf(value: Value): number {
  if (Array.isArray(value)) return value.length
  if (isObject(value)) return Object.keys(value).length
  return [...textOf(value)].length
}

const index = ({ part, entry }: Subject): boolean => leadsTo(leafHash(entry), part('index', 'proof'), hex(part('index', 'root')))

function request({ part, own, asked, receiptHas }: Subject): boolean {
  const base = part('request', 'base')
  const expected = `${own ? 'subject' : 'practitioner'}:${toHex(asked('requester'))}`
  const named = [...textOf(base).matchAll(/;keyid="([^"]*)"/g)].map((m) => m[1])
  const message = bytesOf(base)
  const signed = sm2Verify(message, hex(part('request', 'signature'), 64), hex(part('request', 'publicKey'), 64))
  const byRequester = part('request', 'keyid') === expected && named.length === 1 && named[0] === expected
  return signed && byRequester && receiptHas('request', sm3(message))
}

function requestBody(s: Subject): boolean {
  const body = s.part('request', 'body')
  if (body === null) throw new Missing()
  const digest = `\n"content-digest": sm3=:${toBase64(sm3(bytesOf(body)))}:\n`
  const document = parseJson(textOf(body))
  const wanted = at(document, 'request')
  const ids = ['subject', 'record', 'schema'].every((name) => equal(hex(at(wanted, name)), s.asked(name)))
  const codes = [
    ['purpose', 'purposes'],
    ['category', 'categories'],
    ['role', 'roles'],
  ] as const
  const sameCodes = codes.every(([name, kind]) => same(codeNumber(kind, at(wanted, name)), at(s.q, name)))
  const count = BigInt(small(s.part('record', 'disclosure', 'elementCount'), 256))
  const mask = askedMask(at(wanted, 'fields'), count) === toBigInt(s.asked('fields'))
  const consent = same(at(document, 'consent'), at(s.receipt, 'consent'))
  return textOf(s.part('request', 'base')).includes(digest) && ids && sameCodes && mask && consent
}

/** Mask of a request's fields: "all", element numbers, or the mask itself. */
function askedMask(fields: Value, count: bigint): bigint {
  if (fields === 'all') return (1n << count) - 1n
  return Array.isArray(fields) ? elements(fields) : hexNumber(fields)
}

/** Consent id of an artefact that says what its subject signed; null where it does not. */
export function signedConsent(a: Value): Bytes | null {
  if (at(a, 'kind') !== 'healthtrust/consent-artefact' || amount(at(a, 'version')) != 1n) return null
  const id = sm3Times(hex(at(a, 'seed')), Math.max(1, small(at(a, 'scope', 'uses'), MOST_USES)))
  const words = scopeWords(at(a, 'scope'))
  const message = hex(at(a, 'message'), null)
  const body = concat(
    hex(at(a, 'scope', 'subject')),
    id,
    hmacSm3(hex(at(a, 'salt')), words),
    words.slice(160, 180),
    new Uint8Array(4),
  )
  const kind = { 192: 'healthtrust/consent-grant/v1', 224: 'healthtrust/consent-amend/v1' }[message.length]
  const shaped = kind && equal(message.slice(0, 32), kindWord(kind)) && equal(message.slice(64, 184), body)
  const signed = shaped && equal(hex(at(a, 'consent')), id)
  return signed && sm2Verify(message, hex(at(a, 'signature'), 64), hex(at(a, 'publicKey'), 64)) ? id : null
}

/** Whether two people's signatures stand where a consent would. */
export const isEmergency = (artefact: Value): boolean =>
  isObject(artefact) && artefact['kind'] === 'healthtrust/emergency-artefact'

/** Two people of the requester's organisation signed this scope, for this reason, and one of them reads. */
function openedByTwo(s: Subject): boolean {
  const [a, organisation] = [s.artefact, s.asked('organisation')]
  const [seed, words] = [hex(at(a, 'seed')), scopeWords(at(a, 'scope'))]
  const id = sm3(seed)
  const salt = hmacSm3(seed, concat(bytesOf('healthtrust/emergency-reason/v1\0'), bytesOf(at(a, 'reason'))))
  const message = hex(at(a, 'message'), null)
  const body = concat(organisation, id, hmacSm3(salt, words), uint(integer(at(a, 'minutes')), 32))
  const kind = equal(message.slice(0, 32), kindWord('healthtrust/emergency-open/v1'))
  const shaped = message.length === 192 && kind && equal(message.slice(64), body)
  const named = equal(hex(at(a, 'consent')), id) && equal(hex(at(a, 'salt')), salt) && s.receiptHas('consent', id)
  const signers = list(at(a, 'signers'))
  const keys = new Map(signers.map((one) => [toHex(hex(at(one, 'practitioner'))), hex(at(one, 'publicKey'), 64)]))
  const reader = keys.get(toHex(s.asked('requester')))
  const two = signers.length === 2 && keys.size === 2 && reader && equal(reader, hex(s.part('request', 'publicKey'), 64))
  const only = toBigInt(words.slice(68, 72)) === 1n << codeNumber('purposes', 'ETREAT')
  const alone = words[64] === 1 && equal(words.slice(128, 160), organisation) && only
  const signed = signers.every((one) => sm2Verify(message, hex(at(one, 'signature'), 64), hex(at(one, 'publicKey'), 64)))
  return same(at(a, 'version'), 1n) && shaped && named && Boolean(two) && alone && signed
}

/** The requester's organisation had opened it, its minutes were not over, and nobody had called it unjustified. */
function ledgerEmergency(s: Subject): boolean {
  const c = at(s.state, 'consent')
  const slot = mapping(hex(at(s.artefact, 'consent')), SLOTS.emergencies)
  const [organisation, commitment, packed] = [0n, 1n, 2n].map((i) => s.evidence.word('Access', s.block, slot + i)) as [
    Bytes,
    Bytes,
    Bytes,
  ]
  const [endsAt, , outcome] = unpack(packed, 64, 64, 8)
  const held = equal(organisation, s.asked('organisation')) && equal(commitment, hex(at(c, 'commitment')))
  const open = integer(s.part('decision', 'time')) < endsAt! && outcome !== 2n
  return held && open && same(at(c, 'status'), 1n)
}

function consent(s: Subject): boolean {
  if (s.artefact === null) {
    if (s.own) throw new Missing()
    return false
  }
  if (s.emergency) return openedByTwo(s)
  const id = signedConsent(s.artefact)
  return id !== null && s.receiptHas('consent', id)
}

function decision({ part, artefact, state, q }: Subject): boolean {
  const shown = part('decision')
  const words = artefact === null ? new Uint8Array(0) : scopeWords(at(artefact, 'scope'))
  const salt = artefact === null ? ZERO : hex(at(artefact, 'salt'))
  const again = decideShown(state, q, words, salt, integer(at(shown, 'time')))
  const asShown = REASONS[reasonNumber(at(shown, 'reason'))] === again.reason && hexNumber(at(shown, 'fields')) === again.fields
  return asShown && at(shown, 'outcome') === 'permit' && again.outcome === 'permit'
}

function fields({ part }: Subject): boolean {
  const permitted = hexNumber(part('decision', 'fields'))
  return names(part('record', 'disclosure', 'values')).every((n) => Boolean((permitted >> (elementNumber(n) - 1n)) & 1n))
}

const RECEIPT_IDS = {
  store: 'custodian',
  requester: 'requester',
  organisation: 'organisation',
  subject: 'subject',
  record: 'record',
}

function receipt(s: Subject): boolean {
  const [r, shown] = [s.receipt, s.part('decision')]
  const sameIds = Object.entries(RECEIPT_IDS).every(([name, asked]) => s.receiptHas(name, s.asked(asked)))
  const copied = ['outcome', 'reason', 'fields', 'height', 'block'].every((name) => same(at(r, name), at(shown, name)))
  const underConsent = same(at(r, 'consent'), s.artefact === null ? null : at(s.artefact, 'consent'))
  const purpose = same(codeNumber('purposes', at(r, 'purpose')), at(s.q, 'purpose'))
  const version = same(at(r, 'version'), 1n) && same(at(r, 'number'), s.part('receipt', 'number'))
  const apart = integer(at(r, 'time')) - integer(at(shown, 'time'))
  const close = apart <= RECEIPT_SECONDS && -apart <= RECEIPT_SECONDS
  const whole = equal(canonicalBytes(r), bytesOf(s.part('receipt', 'json'))) && at(r, 'kind') === 'healthtrust/receipt'
  return version && sameIds && copied && underConsent && purpose && close && whole
}

function receiptContent({ part, receiptHas }: Subject): boolean {
  const values = part('record', 'disclosure', 'values')
  return receiptHas('digest', hmacSm3(hex(part('record', 'digestSalt')), canonicalBytes(values)))
}

function receiptGroup(s: Subject): boolean {
  const group = s.part('receipt', 'group')
  const [first, root] = [integer(at(group, 'first')), hex(at(group, 'root'))]
  const packed = concat(uint(first, 8), uint(small(at(group, 'treeSize'), 2 ** 32 - 1), 4), new Uint8Array(20))
  const message = concat(kindWord('healthtrust/receipts/v1'), s.asked('custodian'), root, packed)
  const placed =
    same(first + integer(at(group, 'leafIndex')), s.part('receipt', 'number')) && leadsTo(s.receiptLeaf(), group, root)
  return placed && sm2Verify(message, hex(s.part('receipt', 'signature'), 64), hex(s.part('custodianKey'), 64))
}

function receiptAnchor(s: Subject): boolean {
  const anchor = s.part('receipt', 'anchor')
  if (anchor === null) throw new Missing()
  return leadsTo(s.receiptLeaf(), anchor, hex(at(anchor, 'root')))
}

/** Root, first number and count of a batch as a contract holds them. */
function batchOn(s: Subject, contract: string, block: string | null, base: number, number: Value): [Bytes, bigint, bigint] {
  const slot = mapping(uint(integer(number), 32), mapping(s.asked('custodian'), base))
  const root = s.evidence.word(contract, block, slot)
  const [first, count] = unpack(s.evidence.word(contract, block, slot + 1n), 64, 32)
  return [root, first!, count!]
}

function ledgerIndex(s: Subject): boolean {
  const part = s.part('index')
  const [root, first, count] = batchOn(s, 'DataIndex', s.block, SLOTS.batches, at(part, 'batch'))
  const sequence = toBigInt(s.entry.slice(224, 232))
  const placed = first + integer(at(part, 'proof', 'leafIndex')) === sequence && same(count, at(part, 'proof', 'treeSize'))
  return equal(root, hex(at(part, 'root'))) && placed
}

function ledgerConsent(s: Subject): boolean {
  const [evidence, c] = [s.evidence, at(s.state, 'consent')]
  if (s.artefact === null) return s.own
  if (s.emergency) return ledgerEmergency(s)
  const slot = mapping(hex(at(s.artefact, 'consent')), SLOTS.consents)
  const [subject, commitment, packed] = [0n, 1n, 2n].map((i) => evidence.word('Consent', s.block, slot + i)) as [
    Bytes,
    Bytes,
    Bytes,
  ]
  const numbers = unpack(packed, 64, 64, 32, 32, 56, 8)
  const shown = ['notBefore', 'notAfter', 'useLimit', 'uses'].map((name) => at(c, name))
  const sameIds = equal(subject, hex(at(c, 'subject'))) && equal(commitment, hex(at(c, 'commitment')))
  return sameIds && shown.every((v, i) => same(v, numbers[i]!)) && same(numbers[5]!, at(c, 'status'))
}

function ledgerMembers(s: Subject): boolean {
  const status = (organisation: Bytes): bigint =>
    BigInt(s.evidence.word('Alliance', s.block, mapping(organisation, SLOTS.organisations))[31]!)
  const custodian = same(status(s.asked('custodian')), at(s.state, 'custodian'))
  return custodian && (s.own || same(status(s.asked('organisation')), at(s.state, 'organisation')))
}

function ledgerCredential(s: Subject): boolean {
  const [evidence, key, k] = [s.evidence, hex(s.part('request', 'publicKey'), 64), at(s.state, 'credential')]
  if (s.own) return equal(evidence.key('Identity', s.block, mapping(s.asked('requester'), SLOTS.keys)), key)
  const slot = mapping(s.asked('requester'), SLOTS.credentials)
  const [organisation, registered] = [evidence.word('Identity', s.block, slot), evidence.key('Identity', s.block, slot + 1n)]
  const numbers = unpack(evidence.word('Identity', s.block, slot + 3n), 64, 64, 32, 8)
  const shown = ['notBefore', 'notAfter', 'roles', 'status'].map((name) => at(k, name))
  const held = equal(registered, key) && equal(organisation, hex(at(k, 'organisation')))
  return held && shown.every((v, i) => same(v, numbers[i]!))
}

function ledgerSubject(s: Subject): boolean {
  if (s.artefact === null || s.emergency) throw new Missing()
  const key = s.evidence.key('Identity', s.block, mapping(s.asked('subject'), SLOTS.keys))
  if (!equal(key, hex(at(s.artefact, 'publicKey'), 64))) throw new Missing()
  return true
}

function ledgerCustodian(s: Subject): boolean {
  const slot = mapping(s.asked('custodian'), SLOTS.organisations)
  return equal(s.evidence.key('Alliance', s.block, slot + 1n), hex(s.part('custodianKey'), 64))
}

function ledgerReceipt(s: Subject): boolean {
  const anchor = s.part('receipt', 'anchor')
  if (anchor === null) throw new Missing()
  const [root, first, count] = batchOn(s, 'Access', null, SLOTS.receipts, at(anchor, 'batch'))
  const placed =
    same(first + integer(at(anchor, 'leafIndex')), s.part('receipt', 'number')) && same(count, at(anchor, 'treeSize'))
  return equal(root, hex(at(anchor, 'root'))) && placed
}

function ledgerTime(s: Subject): boolean {
  const header = s.evidence.headers.get(s.block)
  if (!header) throw new Missing()
  const shown = s.part('decision')
  return same(header.time, at(shown, 'time')) && same(header.height, at(shown, 'height'))
}

/** Blocks that the checkpoint names or its validators signed, and their parents as far as headers are shown. */
function reached(s: Subject, trust: Value): Set<string> {
  const found = new Set<string>()
  const named = hexList(at(trust, 'blocks'), 32, MOST_BLOCKS).map((block): string => toHex(block))
  const signed = s.evidence.endorsers ? orderedBlocks(s.evidence, trust) : signedBlocks(s.evidence, trust)
  for (const first of [...named, ...signed])
    for (let block: string | undefined = first; block && !found.has(block); block = s.evidence.headers.get(block)?.parent)
      found.add(block)
  return found
}

function trusted(s: Subject): boolean {
  const { evidence, trust } = s
  const ledger = s.part('ledger')
  if (trust === undefined) throw new Missing()
  if (at(trust, 'kind') !== 'healthtrust/checkpoint' || amount(at(trust, 'version')) != 1n)
    throw new Malformed('not a checkpoint')
  const fabric = evidence.endorsers !== null
  const names = fabric ? ['channel', 'chaincode', 'ledgerId'] : ['chainId', 'ledgerId']
  if (!names.every((name) => same(at(trust, name), at(ledger, name)))) return false
  const used = new Set(evidence.proved.map((p) => p.contract))
  if (![...used].every((name) => same(at(ledger, 'contracts', name), at(trust, 'contracts', name)))) return false
  const known = reached(s, trust)
  if (![s.block, ...evidence.resting].every((block) => known.has(block)) || !endorsedByMost(evidence, trust)) throw new Missing()
  const signedFor = s.emergency ? 'Access' : 'Consent'
  const contract = fabric
    ? sm3(bytesOf(`${textOf(at(ledger, 'channel'))}\0${textOf(at(ledger, 'chaincode'))}.${signedFor}`))
    : leftPadded(hex(at(ledger, 'contracts', signedFor), 20))
  const domain = sm3(concat(kindWord('healthtrust/domain/v1'), hex(at(ledger, 'ledgerId')), contract))
  return s.artefact === null || equal(hex(at(s.artefact, 'message'), null).slice(32, 64), domain)
}

/** The lines in their order. */
export const CHECKS = {
  record,
  withheld,
  entry: entryMatches,
  index,
  request,
  request_body: requestBody,
  consent,
  decision,
  fields,
  receipt,
  receipt_content: receiptContent,
  receipt_group: receiptGroup,
  receipt_anchor: receiptAnchor,
  ledger_index: ledgerIndex,
  ledger_consent: ledgerConsent,
  ledger_members: ledgerMembers,
  ledger_credential: ledgerCredential,
  ledger_subject: ledgerSubject,
  ledger_custodian: ledgerCustodian,
  ledger_receipt: ledgerReceipt,
  ledger_time: ledgerTime,
  trust: trusted,
} satisfies Record<string, (subject: Subject) => boolean>
export type Code = keyof typeof CHECKS

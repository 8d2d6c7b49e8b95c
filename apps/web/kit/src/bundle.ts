/** Checks of a proof bundle that need no network, each said in one line (docs/formats.md, 9). */
import { equal, fromHex, utf8, word, type Hex } from './bytes'
import { artefactProblem, type Artefact } from './artefact'
import { canonicalBytes, type Json } from './canonical'
import { hmacSm3, sm3, verify } from './crypto'
import { decide, type LedgerState } from './decision'
import { parseEntry } from './entry'
import { included } from './merkle'
import { disclosureHolds, type Disclosure } from './record'
import { scopeWords } from './scope'

export interface InclusionProof {
  leafIndex: number
  treeSize: number
  hashes: string[]
}

/** Proof bundle, as far as the browser checks it. */
export interface Bundle {
  record: { id: Hex; custodian: Hex; subject: Hex; disclosure: Disclosure; digestSalt: Hex; schema: Record<string, unknown> }
  index: { entry: Hex; proof: InclusionProof; root: Hex; batch: number }
  request: { base: string; signature: string; keyid: string; publicKey: Hex; body?: string | null }
  consent: { artefact: Artefact | null }
  decision: {
    outcome: string
    reason: string
    fields: Hex
    height: number
    block: Hex
    time: number
    request: {
      subject: Hex
      requester: Hex
      organisation: Hex
      custodian: Hex
      record: Hex
      schema: Hex
      role: number
      purpose: number
      category: number
      fields: Hex
    }
    state: LedgerState
  }
  receipt: {
    json: string
    salt: Hex
    number: number
    signature: Hex
    group: InclusionProof & { first: number; root: Hex }
    anchor: unknown
  }
  ledger: Record<string, unknown> | null
  custodianKey: Hex
}

export interface CheckLine {
  /** Key of the words `check.…`. */
  key:
    'content' | 'entry' | 'inclusion' | 'root' | 'request' | 'consent' | 'decision' | 'receipt' | 'digest' | 'ledger' | 'headers'
  /** Null: not shown by this bundle. */
  holds: boolean | null
  detail?: string
}

const attempt = (check: () => boolean): boolean => {
  try {
    return check()
  } catch {
    return false
  }
}

export function entryIncluded(entry: Uint8Array, proof: InclusionProof, root: string): boolean {
  return attempt(() => included(entry, proof.leafIndex, proof.treeSize, proof.hashes.map(word), word(root)))
}

/** Content against its entry, and the entry against the root of its batch. */
export function recordChecks(
  disclosure: Disclosure,
  entry: Uint8Array,
  proof: InclusionProof | null,
  root: string | null,
): CheckLine[] {
  const parsed = attempt(() => Boolean(parseEntry(entry)))
  const content =
    parsed && disclosureHolds(disclosure, word(parseEntry(entry).commitment)) && parseEntry(entry).schema === disclosure.schema
  const lines: CheckLine[] = [
    { key: 'content', holds: content },
    { key: 'entry', holds: parsed },
  ]
  lines.push({ key: 'inclusion', holds: proof && root ? entryIncluded(entry, proof, root) : null, ...(root && { detail: root }) })
  return lines
}

export function artefactCheck(artefact: Artefact | null): CheckLine {
  const problem = artefact ? (attempt(() => artefactProblem(artefact) === null) ? null : 'does not hold') : null
  return { key: 'consent', holds: artefact ? problem === null : null }
}

export function requestCheck(request: { base: string; signature: string; publicKey: string } | null): CheckLine {
  if (!request) return { key: 'request', holds: null }
  return {
    key: 'request',
    holds: attempt(() => verify(utf8(request.base), fromHex(request.signature), fromHex(request.publicKey))),
  }
}

/** The decision made again from the state and scope in the bundle. What the state itself rests on is the ledger's part. */
export function decisionCheck({ decision: d, consent }: Pick<Bundle, 'decision' | 'consent'>): CheckLine {
  const holds = attempt(() => {
    const scope = consent.artefact
    const words = scope ? scopeWords(scope.scope) : new Uint8Array(0)
    const again = decide(
      d.state,
      { ...d.request, fields: BigInt(d.request.fields) },
      words,
      scope ? word(scope.salt) : new Uint8Array(32),
      d.time,
    )
    return again.outcome === d.outcome && again.reason === d.reason && again.fields === BigInt(d.fields)
  })
  return { key: 'decision', holds, detail: `block ${d.height}` }
}

/** The receipt speaks of this record, this request and these bytes, and is in the group its custodian signed. */
export function receiptChecks(bundle: Bundle): CheckLine[] {
  const { receipt: r, record, decision, request } = bundle
  const about = attempt(() => {
    const doc = JSON.parse(r.json) as Record<string, unknown>
    const same =
      doc['record'] === record.id &&
      doc['subject'] === record.subject &&
      doc['store'] === record.custodian &&
      doc['number'] === r.number
    const decided = doc['outcome'] === decision.outcome && doc['block'] === decision.block && doc['fields'] === decision.fields
    return same && decided && hashHolds(utf8(request.base), String(doc['request']))
  })
  const digest = attempt(() => {
    const doc = JSON.parse(r.json) as Record<string, unknown>
    return equal(hmacSm3(word(record.digestSalt), canonicalBytes(record.disclosure.values as Json)), word(String(doc['digest'])))
  })
  return [
    { key: 'receipt', holds: about, detail: `${r.number}` },
    { key: 'digest', holds: digest },
  ]
}

/** Every check of a bundle that needs nothing but the bundle. `anchoredRoot`: the root another source names for the batch, if asked. */
export function bundleChecks(bundle: Bundle, anchoredRoot: string | null): CheckLine[] {
  const { record, index, request, consent } = bundle
  const entry = fromHex(index.entry)
  return [
    ...recordChecks(record.disclosure, entry, index.proof, index.root),
    { key: 'root', holds: anchoredRoot === null ? null : anchoredRoot === index.root },
    requestCheck(request),
    ...(consent.artefact ? [artefactCheck(consent.artefact)] : []),
    decisionCheck(bundle),
    ...receiptChecks(bundle),
    { key: 'ledger', holds: null },
  ]
}

/** Whether `hash` is the SM3 of these bytes. */
export const hashHolds = (bytes: Uint8Array, hash: string): boolean => attempt(() => equal(sm3(bytes), word(hash)))
export const allHold = (lines: CheckLine[]): boolean =>
  lines.length > 0 && lines.every((l) => l.holds !== false) && lines.some((l) => l.holds)

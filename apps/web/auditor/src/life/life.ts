/**
 * The life of an identifier: what the ledger tells (the mirror's trace) and what the gateway knows beside it (index entries, receipts,
 * requests) as one list of steps and who led to whom. Pure.
 */
import type { Entry, Known, Receipt, ReceiptBatch, Trace, TraceNode } from '../model'

/** Lanes that are no organisation. */
export const RESIDENT = 'resident'
export const ALLIANCE = 'alliance'

export interface Step {
  id: string
  kind: string
  time: number
  /** Organisation id, {@link RESIDENT} or {@link ALLIANCE}. */
  lane: string
  /** Block, if the ledger tells of it. */
  height: number | null
  transaction: string | null
  /** What it names, by name; identifiers among them lead on. */
  facts: Record<string, unknown>
  source: 'ledger' | 'gateway'
}

export interface Link {
  source: string
  target: string
}

export interface Life {
  steps: Step[]
  links: Link[]
}

const PEOPLE = new Set(['ConsentGranted', 'ConsentAmended', 'ConsentRevoked', 'KeyRotated', 'RecoveryVetoed'])
const MOST_ALSO = 64

/** Identifiers that belong in the same picture: roots of the batches, consents, requests. */
export function relatives(known: Known, batches: ReceiptBatch[]): string[] {
  const roots = [...known.entries.map((e) => e.root), ...batches.map((b) => b.root)]
  const consents = [...known.receipts, ...known.requests].flatMap((r) => r.consent ?? [])
  const all = new Set([...roots, ...consents, ...known.requests.map((r) => r.id)])
  all.delete(known.identifier as `0x${string}`)
  return [...all].slice(0, MOST_ALSO)
}

/** Batches on the ledger that hold one of these receipts. */
export function batchesOf(receipts: Receipt[], batches: ReceiptBatch[]): ReceiptBatch[] {
  return batches.filter((b) => receipts.some((r) => holds(b, r)))
}

const holds = (b: ReceiptBatch, r: Receipt): boolean =>
  b.organisation === r.store && b.first_number <= r.number && r.number < b.first_number + b.count

/** One picture of everything. `trace` was asked with {@link relatives}. */
export function lifeOf(trace: Trace, known: Known, batches: ReceiptBatch[]): Life {
  const wanted = new Set<unknown>([known.identifier, ...relatives(known, batches)])
  const told = trace.nodes.filter((n) => isAbout(n, wanted)).map((n) => fromLedger(n, known))
  const entries = known.entries.flatMap(fromEntry)
  const receipts = known.receipts.map(fromReceipt)
  const kept = new Set(told.map((s) => s.id))
  const links = trace.edges.filter((e) => kept.has(e.source) && kept.has(e.target))
  const steps = [...told, ...entries, ...receipts].sort((a, b) => a.time - b.time || after(a) - after(b))
  return { steps, links: [...links, ...entryLinks(known.entries, told), ...receiptLinks(known, told, batches)] }
}

/** Within one second: what the ledger told up to a block comes before what was decided at that block. */
const after = (s: Step): number => s.height ?? (typeof s.facts['decidedAt'] === 'number' ? s.facts['decidedAt'] + 0.5 : -1)

/** A batch that only follows one of ours is another story. */
const isAbout = (n: TraceNode, wanted: Set<unknown>): boolean =>
  n.event !== 'BatchAnchored' || [n.args['root'], n.args['organisation'], n.transaction].some((v) => wanted.has(v))

function fromLedger(n: TraceNode, known: Known): Step {
  const lane = laneOf(n, known)
  const transaction = n.transaction || null
  return { id: n.id, kind: n.type, time: n.time, lane, height: n.height, transaction, facts: n.args, source: 'ledger' }
}

/** Requests and answers are relayed, so that the ledger names the relay; who asked and who answered is known beside it. */
function laneOf(n: TraceNode, known: Known): string {
  const request = n.event.startsWith('Access') ? known.requests.find((r) => r.id === n.args['id']) : undefined
  if (request && n.event === 'AccessRequested') return request.organisation
  if (request && ['granted', 'refused'].includes(request.status)) return RESIDENT
  return n.lane || (PEOPLE.has(n.event) ? RESIDENT : ALLIANCE)
}

const entryId = (e: Entry, kind: string): string => `${kind}:${e.custodian}:${e.sequence}`

function fromEntry(e: Entry): Step[] {
  const facts = {
    record: e.record,
    subject: e.subject,
    schema: e.schema,
    category: e.category,
    version: e.version,
    sequence: e.sequence,
    root: e.root,
  }
  const common = { lane: e.custodian, height: null, transaction: null, facts, source: 'gateway' as const }
  const indexed = { ...common, id: entryId(e, 'indexed'), kind: e.deleted ? 'deleted' : 'indexed', time: e.indexedAt }
  return [{ ...common, id: entryId(e, 'created'), kind: 'created', time: e.recordedAt }, indexed]
}

const receiptId = (r: Receipt): string => `receipt:${r.store}:${r.number}`

function fromReceipt(r: Receipt): Step {
  const facts = {
    number: r.number, store: r.store, record: r.record, requester: r.requester, organisation: r.organisation, subject: r.subject,
    consent: r.consent, purpose: r.purpose, outcome: r.outcome, reason: r.reason, decidedAt: r.height, receipt: r.hash,
  } // prettier-ignore
  const kind = r.outcome === 'permit' ? 'read' : 'refused'
  const lane = r.requester === r.subject ? RESIDENT : r.organisation
  return {
    id: receiptId(r),
    kind,
    time: r.time,
    lane,
    height: null,
    transaction: null,
    facts,
    source: 'gateway',
  }
}

function entryLinks(entries: Entry[], told: Step[]): Link[] {
  return entries.flatMap((e) => {
    const own = { source: entryId(e, 'created'), target: entryId(e, 'indexed') }
    const anchor = told.find((s) => s.kind === 'anchored' && s.facts['root'] === e.root)
    return anchor ? [own, { source: own.target, target: anchor.id }] : [own]
  })
}

/**
 * From the consent as it then was to the reading, and from there to the batch with its receipt; from the record's place on the ledger only
 * to its first reading, or the picture is all lines.
 */
function receiptLinks(known: Known, told: Step[], batches: ReceiptBatch[]): Link[] {
  const anchors = new Map(
    known.entries.map((e) => [e.record, told.find((s) => s.kind === 'anchored' && s.facts['root'] === e.root)]),
  )
  const first = new Map(known.receipts.map((r) => [r.record, receiptId(r)]))
  return known.receipts.flatMap((r) => {
    const id = receiptId(r)
    const basis = told.filter((s) => r.consent && s.facts['consent'] === r.consent && s.height! <= r.height).at(-1)
    const anchor = first.get(r.record) === id ? anchors.get(r.record) : undefined
    const batch = batches.find((b) => holds(b, r))
    const recorded = batch && told.find((s) => s.kind === 'read (receipts)' && s.facts['root'] === batch.root)
    const sources = [basis, anchor].flatMap((s) => s?.id ?? [])
    return [...sources.map((source) => ({ source, target: id })), ...(recorded ? [{ source: id, target: recorded.id }] : [])]
  })
}

/** Whether a fact names something that has a life of its own. */
export const leadsOn = (name: string, value: unknown): value is string =>
  typeof value === 'string' && /^0x([0-9a-f]{40}|[0-9a-f]{64})$/.test(value) && !NO_LIFE.has(name) && !/^0x0+$/.test(value)

const NO_LIFE = new Set([
  'x',
  'y',
  'commitment',
  'nameDigest',
  'messageHash',
  'kind',
  'packed',
  'digest',
  'receipt',
  'headHash',
  'name',
])

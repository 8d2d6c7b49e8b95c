import { describe, expect, it } from 'vitest'
import { csvOf } from '../src/csv'
import { standOf } from '../src/life/gaps'
import { pictureOf } from '../src/life/layout'
import { batchesOf, leadsOn, lifeOf, relatives, RESIDENT } from '../src/life/life'
import { tidied } from '../src/life/search'
import type { Entry, Known, Receipt, ReceiptBatch, Trace, TraceNode } from '../src/model'

const id = (c: string): `0x${string}` => `0x${c.repeat(64)}`
const [RECORD, CUSTODIAN, HOSPITAL, PERSON, DOCTOR, CONSENT, ROOT, NEXT_ROOT, BATCH_ROOT, REQUEST] = [...'0123456789'].map((c) =>
  id(c === '0' ? 'a' : c),
) as `0x${string}`[]

const entry: Entry = {
  record: RECORD!, custodian: CUSTODIAN!, subject: PERSON!, schema: id('b'), category: 'laboratory', version: 0, sequence: 7, recordedAt: 100, indexedAt: 200,
  deleted: false, batch: 0, root: ROOT!, transaction: null, anchoredAt: 210,
} // prettier-ignore
const receipt = (number: number, outcome: Receipt['outcome'], height: number, time: number): Receipt => ({
  store: CUSTODIAN!, number, hash: id('c'), time, requester: DOCTOR!, organisation: HOSPITAL!, subject: PERSON!, record: RECORD!, purpose: 'TREAT',
  consent: CONSENT!, outcome, reason: outcome === 'permit' ? 'ok' : 'revoked', height, anchored: true,
}) // prettier-ignore
const node = (n: number, type: string, event: string, time: number, args: Record<string, unknown>, lane = ''): TraceNode => ({
  id: String(n).padStart(16, '0'), type, lane, height: n, time, transaction: id('d'), contract: '', event, args,
}) // prettier-ignore
const batch: ReceiptBatch = {
  position: 1,
  height: 6,
  organisation: CUSTODIAN!,
  batch: 0,
  root: BATCH_ROOT!,
  first_number: 0,
  count: 2,
  head_hash: id('e'),
}
const known: Known = {
  identifier: RECORD!,
  entries: [entry],
  receipts: [receipt(1, 'deny', 5, 500), receipt(0, 'permit', 4, 400)],
  requests: [
    {
      id: REQUEST!,
      subject: PERSON!,
      requester: DOCTOR!,
      organisation: HOSPITAL!,
      status: 'granted',
      created: 250,
      expires: 900,
      consent: CONSENT!,
    },
  ],
  truncated: false,
}
const trace: Trace = {
  identifier: RECORD!,
  roles: [],
  nodes: [
    node(1, 'anchored', 'BatchAnchored', 210, { root: ROOT, organisation: CUSTODIAN }, CUSTODIAN),
    node(2, 'requested', 'AccessRequested', 250, { id: REQUEST, organisation: id('f') }, id('f')),
    node(3, 'granted', 'ConsentGranted', 300, { consent: CONSENT, subject: PERSON }),
    node(4, 'anchored', 'BatchAnchored', 350, { root: NEXT_ROOT, previousRoot: ROOT, organisation: CUSTODIAN }, CUSTODIAN),
    node(5, 'revoked', 'ConsentRevoked', 500, { consent: CONSENT, subject: PERSON }),
    node(6, 'read (receipts)', 'ReceiptsRecorded', 600, { root: BATCH_ROOT, organisation: CUSTODIAN }, CUSTODIAN),
  ],
  edges: [
    { source: '0000000000000001', target: '0000000000000004', thread: 'root' },
    { source: '0000000000000003', target: '0000000000000005', thread: 'consent' },
  ],
  truncated: false,
  height: 9,
}

describe('a record', () => {
  const life = lifeOf(trace, known, [batch])
  it('is created, indexed, anchored, asked for, granted, read, revoked, refused, receipted, in this order', () => {
    const kinds = life.steps.map((s) => s.kind)
    expect(kinds).toEqual([
      'created',
      'indexed',
      'anchored',
      'requested',
      'granted',
      'read',
      'revoked',
      'refused',
      'read (receipts)',
    ])
  })
  it('is asked for by the doctor’s hospital, not by the relay, and granted by the resident', () => {
    const lane = (kind: string): string | undefined => life.steps.find((s) => s.kind === kind)?.lane
    expect([lane('requested'), lane('granted'), lane('read')]).toEqual([HOSPITAL, RESIDENT, HOSPITAL])
  })
  it('has a resident’s own reading in the resident’s lane', () => {
    const own = { ...receipt(0, 'permit', 4, 400), requester: PERSON!, organisation: id('0'), consent: null, reason: 'self' }
    const read = lifeOf(trace, { ...known, receipts: [own] }, []).steps.find((s) => s.kind === 'read')
    expect(read?.lane).toBe(RESIDENT)
  })
  it('links a reading to the consent as it was then, and to the batch with its receipt', () => {
    const links = life.links.map((l) => `${l.source}>${l.target}`)
    const [read, refused] = [`receipt:${CUSTODIAN}:0`, `receipt:${CUSTODIAN}:1`]
    expect(links).toContain(`0000000000000003>${read}`)
    expect(links).toContain(`0000000000000005>${refused}`)
    expect(links).toContain(`${read}>0000000000000006`)
    expect(links).toContain(`0000000000000001>${read}`)
    expect(links).not.toContain(`0000000000000001>${refused}`)
    const ids = new Set(life.steps.map((s) => s.id))
    expect(life.links.every((l) => ids.has(l.source) && ids.has(l.target))).toBe(true)
  })
  it('asks for the roots, consents and requests around it, not for itself', () => {
    expect(new Set(relatives(known, [batch]))).toEqual(new Set([ROOT, BATCH_ROOT, CONSENT, REQUEST]))
    expect(batchesOf(known.receipts, [batch, { ...batch, first_number: 2 }, { ...batch, organisation: HOSPITAL! }])).toEqual([
      batch,
    ])
  })
  it('is drawn without two boxes in one place, links forward', () => {
    const picture = pictureOf(life, 80)
    const places = picture.placed.map((p) => `${p.x},${p.y}`)
    expect(new Set(places).size).toBe(life.steps.length)
    expect(picture.lanes.map((l) => l.id)).toEqual([RESIDENT, CUSTODIAN, HOSPITAL])
    expect(picture.paths.length).toBe(life.links.length)
    expect(
      pictureOf(life, 3)
        .placed.map((p) => p.step.kind)
        .sort(),
    ).toEqual(['read (receipts)', 'refused', 'revoked'])
  })
})

describe('receipts', () => {
  const page = (rows: ReceiptBatch[]): { columns: string[]; rows: ReceiptBatch[]; next: null; height: number } => ({
    columns: [],
    rows,
    next: null,
    height: 1,
  })
  const copies = (numbers: number[], next: string | null = null) => ({ items: numbers.map((number) => ({ number })), next })
  it('are whole', () => {
    expect(standOf(CUSTODIAN!, page([batch]), copies([2, 1, 0]))).toMatchObject({ next: 2, missing: [], waiting: 1 })
    expect(standOf(CUSTODIAN!, page([]), copies([]))).toMatchObject({ next: 0, missing: [], waiting: 0 })
    expect(standOf(CUSTODIAN!, page([{ ...batch, count: 900 }]), copies([899, 898], 'more')).missing).toEqual([])
  })
  it('show gaps: among copies, on the ledger, at the end', () => {
    expect(standOf(CUSTODIAN!, page([{ ...batch, count: 4 }]), copies([3, 1, 0])).missing).toEqual([2])
    expect(standOf(CUSTODIAN!, page([batch, { ...batch, first_number: 3, count: 1 }]), copies([0, 1, 2, 3])).missing).toEqual([2])
    expect(standOf(CUSTODIAN!, page([{ ...batch, count: 4 }]), copies([0, 1])).missing).toEqual([2, 3])
    expect(standOf(CUSTODIAN!, page([{ ...batch, first_number: 1 }]), copies([1, 2])).missing).toEqual([0])
  })
})

describe('input and output', () => {
  it('tidies what people paste', () => {
    expect(tidied(` ${RECORD!.toUpperCase().replace('0X', '')}\n`)).toBe(RECORD)
    expect(tidied(`practitioner:${DOCTOR}`)).toBe(DOCTOR)
    expect([tidied('0042'), tidied('0x' + 'ab'.repeat(20))]).toEqual(['42', '0x' + 'ab'.repeat(20)])
    expect(['', '0x12', 'hello', '-1', RECORD!.slice(0, -1)].map(tidied)).toEqual([null, null, null, null, null])
  })
  it('leads on to identifiers, not to numbers, keys and zeros', () => {
    expect([leadsOn('record', RECORD), leadsOn('x', RECORD), leadsOn('record', id('0')), leadsOn('count', 3)]).toEqual([
      true,
      false,
      false,
      false,
    ])
  })
  it('writes cells that no spreadsheet runs', () => {
    expect(csvOf([['a,b', 'say "x"', '=1+1', 3]])).toBe('\ufeff"a,b","say ""x""",\'=1+1,3\r\n')
  })
})

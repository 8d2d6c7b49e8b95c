/**
 * Who read what, as a picture: time on one axis, readers with their purposes on the other; readings as marks, consents as bars that end
 * where they were revoked, replaced or expired. Pure; places are shares of the axis.
 */
import type { Known, Receipt, Trace, TraceNode } from '../model'

export type End = 'revoked' | 'amended' | 'expired' | 'open'

export interface Mark {
  receipt: Receipt
  at: number
  permit: boolean
}
export interface Bar {
  consent: string
  from: number
  to: number
  end: End
  /** UTC seconds. */
  since: number
  until: number
}
export interface Row {
  reader: string
  organisation: string
  purpose: string
  marks: Mark[]
  bars: Bar[]
}
export interface Readings {
  rows: Row[]
  /** UTC seconds of the axis, from left to right. */
  ticks: number[]
}

interface Span {
  consent: string
  since: number
  until: number
  end: End
}

const TICKS = 3
const MARGIN = 0.02
const LEAST_SECONDS = 60

/** `now`: UTC seconds; consents that are in force end there. */
export function readingsOf(trace: Trace, known: Known, now: number): Readings {
  const receipts = [...known.receipts].sort((a, b) => a.time - b.time)
  const spans = spansOf(trace, now)
  const used = new Set(receipts.map((r) => r.consent))
  const times = [...receipts.map((r) => r.time), ...[...spans.values()].filter((s) => used.has(s.consent)).flatMap(bounds)]
  if (!times.length) return { rows: [], ticks: [] }
  const first = Math.min(...times)
  const last = Math.max(...times, first + LEAST_SECONDS)
  const place = (time: number): number => MARGIN + ((time - first) / (last - first)) * (1 - 2 * MARGIN)
  const rows = grouped(receipts).map((group) => rowOf(group, spans, place))
  const ticks = Array.from({ length: TICKS }, (_, i) => Math.round(first + ((last - first) * i) / (TICKS - 1)))
  return { rows, ticks }
}

const bounds = (s: Span): number[] => [s.since, s.until]

/** One group for each reader and purpose, in the order of their first reading. */
function grouped(receipts: Receipt[]): Receipt[][] {
  const groups = new Map<string, Receipt[]>()
  for (const r of receipts) {
    const key = `${r.requester} ${r.purpose}`
    groups.set(key, [...(groups.get(key) ?? []), r])
  }
  return [...groups.values()]
}

function rowOf(group: Receipt[], spans: Map<string, Span>, place: (time: number) => number): Row {
  const { requester: reader, organisation, purpose } = group[0]!
  const consents = [...new Set(group.flatMap((r) => r.consent ?? []))]
  const bars = consents.flatMap((c) => {
    const span = spans.get(c)
    return span ? [{ ...span, from: place(span.since), to: place(span.until) }] : []
  })
  const marks = group.map((receipt) => ({ receipt, at: place(receipt.time), permit: receipt.outcome === 'permit' }))
  return { reader, organisation, purpose, marks, bars }
}

/** When each consent that the trace tells of began and ended. */
function spansOf(trace: Trace, now: number): Map<string, Span> {
  const spans = new Map<string, Span>()
  for (const node of [...trace.nodes].sort((a, b) => a.height - b.height)) {
    const id = String(node.args['consent'] ?? '')
    if (node.event === 'ConsentGranted' || node.event === 'ConsentAmended') spans.set(id, begun(id, node, now))
    if (node.event === 'ConsentAmended') ended(spans.get(String(node.args['old'])), node.time, 'amended')
    if (node.event === 'ConsentRevoked') ended(spans.get(id), node.time, 'revoked')
    if (node.event === 'EmergencyOpened') spans.set(String(node.args['id']), emergency(node, now))
  }
  return spans
}

function begun(consent: string, node: TraceNode, now: number): Span {
  const until = notAfter(node.args['packed'])
  return { consent, since: node.time, until: Math.max(node.time, Math.min(until, now)), end: until <= now ? 'expired' : 'open' }
}

function emergency(node: TraceNode, now: number): Span {
  const until = Number(node.args['endsAt'])
  const end = until <= now ? 'expired' : 'open'
  return { consent: String(node.args['id']), since: node.time, until: Math.max(node.time, Math.min(until, now)), end }
}

function ended(span: Span | undefined, at: number, end: End): void {
  if (span && at <= span.until) Object.assign(span, { until: at, end })
}

/** Second u64 of the packed word. */
function notAfter(packed: unknown): number {
  if (typeof packed !== 'string' || !/^0x[0-9a-f]{64}$/.test(packed)) return Number.MAX_SAFE_INTEGER
  return Number(BigInt(`0x${packed.slice(18, 34)}`))
}

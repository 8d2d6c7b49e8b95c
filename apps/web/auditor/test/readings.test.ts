import { describe, expect, it } from 'vitest'
import { readingsOf } from '../src/life/readings'
import type { Known, Receipt, Trace, TraceNode } from '../src/model'

const word = (n: number): `0x${string}` => `0x${n.toString(16).padStart(64, '0')}`
const packed = (from: number, to: number): string =>
  `0x${from.toString(16).padStart(16, '0')}${to.toString(16).padStart(16, '0')}${'0'.repeat(32)}`
const node = (event: string, time: number, args: Record<string, unknown>): TraceNode => ({
  id: `${event}${time}`,
  type: '',
  lane: '',
  height: time,
  time,
  transaction: '',
  contract: '',
  event,
  args,
})
const receipt = (reader: number, time: number, more: Partial<Receipt> = {}): Receipt =>
  ({
    hash: word(time),
    requester: word(reader),
    organisation: word(9),
    purpose: 'TREAT',
    outcome: 'permit',
    consent: word(1),
    time,
    ...more,
  }) as Receipt
const told = (nodes: TraceNode[], receipts: Receipt[], now = 10_000): ReturnType<typeof readingsOf> =>
  readingsOf({ nodes } as unknown as Trace, { receipts } as unknown as Known, now)

describe('who read what', () => {
  it('has a row for each reader and purpose, in the order of their first reading', () => {
    const { rows } = told([], [receipt(2, 300), receipt(3, 100), receipt(3, 200, { purpose: 'HRESCH' }), receipt(3, 400)])
    expect(rows.map((r) => [r.reader, r.purpose, r.marks.length])).toEqual([
      [word(3), 'TREAT', 2],
      [word(3), 'HRESCH', 1],
      [word(2), 'TREAT', 1],
    ])
  })

  it('ends a bar where the consent was revoked, replaced or expired', () => {
    const granted = (consent: number, until: number): TraceNode =>
      node('ConsentGranted', 100, { consent: word(consent), packed: packed(90, until) })
    const nodes = [
      granted(1, 9000),
      granted(2, 9000),
      granted(3, 500),
      granted(4, 99_000),
      node('ConsentRevoked', 700, { consent: word(1) }),
      node('ConsentAmended', 800, { old: word(2), consent: word(5), packed: packed(90, 9000) }),
    ]
    const { rows } = told(
      nodes,
      [1, 2, 3, 4].map((c) => receipt(1, 200 + c, { consent: word(c) })),
    )
    expect(rows[0]!.bars.map((b) => [b.since, b.until, b.end])).toEqual([
      [100, 700, 'revoked'],
      [100, 800, 'amended'],
      [100, 500, 'expired'],
      [100, 10_000, 'open'],
    ])
  })

  it('places everything within the axis, also a single moment', () => {
    const { rows, ticks } = told([], [receipt(1, 500)])
    expect(rows[0]!.marks[0]!.at).toBeGreaterThan(0)
    expect(rows[0]!.marks[0]!.at).toBeLessThan(1)
    expect(ticks).toEqual([500, 530, 560])
    expect(told([], [])).toEqual({ rows: [], ticks: [] })
  })

  it('shows refusals and emergencies', () => {
    const opened = node('EmergencyOpened', 100, { id: word(7), endsAt: 1900 })
    const { rows } = told([opened], [receipt(1, 200, { consent: word(7), outcome: 'deny' })])
    expect(rows[0]!.marks[0]!.permit).toBe(false)
    expect(rows[0]!.bars[0]).toMatchObject({ since: 100, until: 1900, end: 'expired' })
  })
})

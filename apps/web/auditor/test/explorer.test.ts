import {
  concat,
  fromHex,
  hmacSm3,
  kindWord,
  leafHash,
  nodeHash,
  toHex,
  treeRoot,
  uint,
  utf8,
  word,
  type Hex,
} from '@healthtrust/kit'
import { describe, expect, it } from 'vitest'
import { byTransaction, overTime } from '../src/explorer/charts'
import type { AsOf, Leaf, Section } from '../src/explorer/model'
import { linesHold, readingHolds, sectionHolds } from '../src/explorer/proof'
import { en, zh } from '../src/explorer/words'

const id = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`

/** Five consents of four people in order, 2 of them of person 20, with the paths of a tree of five leaves. */
const people = [10, 20, 20, 30, 40]
const leaves: Leaf[] = people.map((p, i) => ({
  consent: id(100 + i), subject: id(p), commitment: id(7), not_before: 1, not_after: 2 ** 40, use_limit: 0, uses: 0, index: i, path: [],
})) // prettier-ignore
const data = (l: Leaf): Uint8Array =>
  concat(
    kindWord('healthtrust/live-consent/v1'), word(l.consent), word(l.subject), word(l.commitment),
    uint(l.not_before, 8), uint(l.not_after, 8), uint(0, 4), uint(0, 4), new Uint8Array(8),
  ) // prettier-ignore
const h = leaves.map((l) => leafHash(data(l)))
const [ab, cd] = [nodeHash(h[0]!, h[1]!), nodeHash(h[2]!, h[3]!)]
const paths = [[h[1]!, cd, h[4]!], [h[0]!, cd, h[4]!], [h[3]!, ab, h[4]!], [h[2]!, ab, h[4]!], [nodeHash(ab, cd)]]
leaves.forEach((l, i) => (l.path = paths[i]!.map(toHex)))
const root = toHex(treeRoot(h))
const section = (subject: number, from: number, to: number): Section => ({
  subject: id(subject),
  size: 5,
  leaves: leaves.slice(from, to),
  before: leaves[from - 1] ?? null,
  after: leaves[to] ?? null,
})

describe('all consents of a person', () => {
  it('are proved, first, middle, last and absent', () => {
    for (const s of [
      section(10, 0, 1),
      section(20, 1, 3),
      section(40, 4, 5),
      section(25, 3, 3),
      section(5, 0, 0),
      section(50, 5, 5),
    ]) {
      expect(sectionHolds(s, root)).toBe(true)
    }
    expect(sectionHolds({ subject: id(1), size: 0, leaves: [], before: null, after: null }, root)).toBe(true)
  })
  it('cannot be hidden, invented or moved', () => {
    const true_ = section(20, 1, 3)
    const lies: Section[] = [
      { ...true_, leaves: [leaves[1]!] },
      { ...true_, leaves: [] },
      { ...true_, before: null },
      { ...true_, after: null },
      { ...true_, leaves: [leaves[2]!], before: leaves[1]! },
      { ...true_, leaves: [{ ...leaves[1]!, uses: 1 }, leaves[2]!] },
      { ...true_, subject: id(30) },
      { ...true_, leaves: [], before: null, after: null },
    ]
    expect(lies.map((s) => sectionHolds(s, root))).toEqual(lies.map(() => false))
    expect(sectionHolds(true_, id(1))).toBe(false)
  })
  it('are the lines that are shown', () => {
    const lines = [{ consent: leaves[1]!.consent }, { consent: leaves[2]!.consent }]
    const answer = { root, section: section(20, 1, 3), lines } as AsOf
    expect(linesHold(answer)).toBe(true)
    expect(linesHold({ ...answer, lines: answer.lines.slice(1) })).toBe(false)
  })
})

describe('a reading', () => {
  const [salt, receipt] = [id(9), '{"kind":"healthtrust/receipt"}']
  const own = leafHash(hmacSm3(fromHex(salt), utf8(receipt)))
  const proof = {
    salt,
    root: toHex(nodeHash(own, h[0]!)),
    leafIndex: 0,
    treeSize: 2,
    hashes: [toHex(h[0]!)],
    height: 1,
    transaction: id(1),
  }
  const reading = { receipt, proof } as AsOf['readings'][number]
  it('is under the root of its batch, and nothing else is', () => {
    expect(readingHolds(reading)).toBe(true)
    expect(readingHolds({ ...reading, receipt: receipt + ' ' })).toBe(false)
    expect(readingHolds({ ...reading, proof: null })).toBe(false)
  })
})

describe('charts', () => {
  it('count events over stretches of blocks', () => {
    const events = [
      { height: 0, contract: 'A' },
      { height: 3, contract: 'A' },
      { height: 9, contract: 'B' },
      { height: 99, contract: 'B' },
    ]
    const { labels, counts } = overTime(events, 0, 9, 5)
    expect(labels).toEqual([0, 2, 4, 6, 8])
    expect(Object.fromEntries(counts)).toEqual({ A: [1, 1, 0, 0, 0], B: [0, 0, 0, 0, 1] })
    expect(overTime([], 0, -1, 5).labels).toEqual([])
  })
  it('group events by transaction', () => {
    const events = [1, 1, 2].map((n) => ({ transaction: String(n), height: n }))
    expect(byTransaction(events).map((g) => [g.transaction, g.events.length])).toEqual([
      ['1', 2],
      ['2', 1],
    ])
  })
})

it('has both languages', () => {
  const shape = (tree: object): object =>
    Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, typeof v === 'object' ? shape(v) : '']))
  expect(shape(en)).toEqual(shape(zh))
})

/** The lines agree with `core/verify` on every bundle of the shared vectors, whole or tampered with. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { check, checkTexts, CODES, MANDATORY } from '../src/check'
import { fromHex } from '../src/bytes'
import { IAVL, provedValue } from '../src/check/ics23'
import lines from '../src/check/lines.json'
import { Malformed, parseJson, type Value } from '../src/check/read'

const read = (name: string): string => readFileSync(new URL(`../../../../tests/shared/${name}.json`, import.meta.url), 'utf8')
interface Row {
  edits: { path: string; value?: unknown; removed?: boolean; flipped?: number }[]
  exit: number
  lines: string
}
const verdicts = JSON.parse(read('verdicts')) as {
  order: string[]
  mandatory: string[]
  rows: Row[]
  comet: Row[]
  fabric: Row[]
}
const MARK = new Map<boolean | null, string>([
  [true, '+'],
  [false, '-'],
  [null, '?'],
])

/** Hex with the lowest bit of a digit changed. */
function oneBitOff(hex: string, at: number): string {
  return hex.slice(0, at) + (parseInt(hex[at]!, 16) ^ 1).toString(16) + hex.slice(at + 1)
}

/** The edits of a row made to fresh documents; a value travels as JSON text, so that 1.5 and 1 stay what they are. */
function edited(file: string, edits: Row['edits']): { [key: string]: Value } {
  const made = parseJson(read(file)) as { [key: string]: Value }
  for (const { path, value, removed, flipped } of edits) {
    const way = path.split('/')
    const last = way.pop()!
    let here = made as unknown as Record<string, unknown>
    for (const key of way) here = here[key] as Record<string, unknown>
    if (flipped !== undefined) here[last] = oneBitOff(here[last] as string, flipped)
    else if (!removed) here[last] = parseJson(JSON.stringify(value))
    else if (Array.isArray(here)) here.splice(Number(last), 1)
    else delete here[last]
  }
  return made
}

describe('verdicts.json', () => {
  it('has the same lines in the same order', () => {
    expect(CODES).toEqual(verdicts.order)
    expect([...MANDATORY].sort()).toEqual(verdicts.mandatory)
  })

  it.each([
    ['bundle', verdicts.rows, 500],
    ['comet', verdicts.comet, 200],
    ['fabric', verdicts.fabric, 150],
  ] as const)('agrees on all changed copies of %s', (file, rows, least) => {
    expect(rows.length).toBeGreaterThan(least)
    const differing = rows.flatMap((row) => {
      const { bundle, trust } = edited(file, row.edits)
      const report = check(bundle!, trust)
      const lines = report.lines.map((line) => MARK.get(line.ok)).join('')
      return report.exit === row.exit && lines === row.lines
        ? []
        : [{ edits: row.edits, ours: [report.exit, lines], theirs: [row.exit, row.lines] }]
    })
    expect(differing).toEqual([])
  })
})

describe('ics23.json', () => {
  const rows = (
    JSON.parse(read('ics23')) as { rows: { name: string; proof: string; key: string; root: string | null; value: string }[] }
  ).rows
  it('proves what a tree has and what it has not', () => {
    expect(rows.length).toBeGreaterThan(100)
    for (const { name, proof, key, root, value } of rows) {
      const ask = () => provedValue(fromHex(proof), fromHex(key), IAVL)
      if (root === null) expect(ask, name).toThrow(Malformed)
      else expect(ask(), name).toEqual({ root: fromHex(root), value: fromHex(value) })
    }
  })
})

describe('texts', () => {
  const { bundle, trust } = JSON.parse(read('bundle')) as { bundle: object; trust: object }
  it('accepts the whole bundle and no other document', () => {
    expect(checkTexts(JSON.stringify(bundle), JSON.stringify(trust)).exit).toBe(0)
    expect(checkTexts(JSON.stringify(bundle), null).exit).toBe(3)
    const odd = [
      '',
      '{',
      '[1,]',
      '{"kind":1,"kind":2}',
      '"\u0001"',
      '['.repeat(100_000),
      JSON.stringify(trust),
      JSON.stringify(bundle) + '1',
    ]
    for (const text of odd) expect(checkTexts(text, null).exit, text.slice(0, 20)).toBe(2)
    expect(checkTexts(JSON.stringify(bundle), '{').exit).toBe(2)
  })
  it('reads a key twice, or numbers written otherwise, as others do', () => {
    expect(checkTexts(JSON.stringify(bundle).replace('{"kind"', '{"kind":"healthtrust/proof-bundle","kind"'), null).exit).toBe(2)
    const floats = JSON.stringify(bundle).replace('"leafIndex":', '"leafIndex":1e0,"_":')
    expect(checkTexts(floats, JSON.stringify(trust)).exit).toBe(1)
  })
})

describe('words', () => {
  it('are those of core/verify', () => {
    expect(lines).toEqual((JSON.parse(read('verdicts')) as { words: unknown }).words)
  })
})

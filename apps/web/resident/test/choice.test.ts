import {
  maskOf,
  opened,
  parseScopeWords,
  randomBytes,
  scopeWords,
  toHex,
  type DocumentType,
  type Hex,
  type RecordSummary,
  type Scope,
} from '@healthtrust/kit'
import { describe, expect, it } from 'vitest'
import { choose, MOST_RECORDS, nothingTaken, type Asked, type TakenAway } from '../src/choice'
import { occasions } from '../src/occasions'

const id = (): Hex => toHex(randomBytes(32))
const names = { zh: '', en: '' }
const types: DocumentType[] = ['laboratory', 'medication', 'diagnosis'].map((category) => ({
  id: id(),
  code: category,
  category,
  name: names,
  elements: [1, 2, 3, 4].map((n) => ({ n, id: `${n}`, name: names, type: 'string', sensitivity: 1 })),
}))
const [subject, hospital, other] = [id(), id(), id()]
const entries: RecordSummary[] = Array.from({ length: 24 }, (_, i) => {
  const type = types[i % 3]!
  return {
    record: id(),
    custodian: i % 2 ? hospital : other,
    subject,
    category: type.category,
    schema: type.id,
    version: 1,
    recordedAt: i,
  }
})
const grantee = { type: 'practitioner' as const, id: id(), organisation: hospital }
const asked: Asked = {
  categories: ['laboratory', 'medication'],
  custodians: 'all',
  records: 'all',
  fields: [
    { schema: types[0]!.id, elements: [1, 2] },
    { schema: types[1]!.id, elements: 'all' },
  ],
}
const scopeOf = (parts: Asked): Scope => ({
  kind: 'healthtrust/consent-scope',
  version: 1,
  subject,
  grantee,
  purposes: ['TREAT'],
  ...parts,
  period: { start: 1, end: 2 },
  uses: 0,
  onwardSharing: false,
  mode: 'remote',
})
const opens = (parts: Asked, entry: RecordSummary): bigint => {
  const scope = scopeOf(parts)
  return opened(
    scope,
    [parseScopeWords(scopeWords(scope))],
    entry,
    types.find((t) => t.id === entry.schema),
  )
}

function anything(seed: number): TakenAway {
  const bit = (n: number): boolean => ((seed >> n) & 1) === 1
  const taken = nothingTaken()
  if (bit(0)) taken.categories.add('medication')
  entries.forEach((e, i) => bit(1) && bit(2 + (i % 5)) && taken.records.add(e.record))
  types.forEach((t, i) => taken.elements.set(t.id, new Set([1, 2, 3].filter((n) => bit(7 + i) && bit(9 + n)))))
  taken.future = bit(13)
  return taken
}

describe('what is signed', () => {
  it('is what was asked where nothing was taken away', () => {
    expect(choose(asked, entries, nothingTaken(), types)).toEqual(asked)
  })

  it('is never wider than what was asked, and opens nothing that was taken away', () => {
    for (let seed = 0; seed < 2 ** 14; seed += 61) {
      const taken = anything(seed)
      const chosen = choose(asked, entries, taken, types)
      if (!chosen) continue
      for (const entry of entries) {
        const mask = opens(chosen, entry)
        expect(mask & ~opens(asked, entry)).toBe(0n)
        expect(mask & maskOf([...(taken.elements.get(entry.schema) ?? [])])).toBe(0n)
        if (taken.records.has(entry.record) || taken.categories.has(entry.category)) expect(mask).toBe(0n)
      }
      const later = { ...entries[0]!, record: id() }
      if (taken.future || taken.records.size)
        expect(opens(chosen, later)).toBe(chosen.records === 'all' ? opens(asked, later) : 0n)
    }
  })

  it('is nothing where nothing is left, or where too many single records would have to be named', () => {
    const all = nothingTaken()
    entries.forEach((e) => all.records.add(e.record))
    expect(choose(asked, entries, all, types)).toBeNull()
    const many = Array.from({ length: MOST_RECORDS + 2 }, () => ({ ...entries[0]!, record: id() }))
    const one = nothingTaken()
    one.records.add(many[0]!.record)
    expect(choose(asked, many, one, types)).toBeNull()
  })
})

describe('occasions', () => {
  it('put one visit of one reader together and keep refusals apart', () => {
    const base = {
      store: hospital,
      subject,
      number: 0,
      requester: id(),
      organisation: hospital,
      purpose: 'TREAT',
      reason: 'ok',
      fields: id(),
      height: 1,
      consent: null,
      anchored: true,
      receipt: '',
      salt: id(),
    }
    const at = (time: number, outcome: 'permit' | 'deny', record: Hex = id()) => ({
      ...base,
      id: `${time}${outcome}${record}`,
      time,
      outcome,
      record,
    })
    const list: Hex = `0x${'0'.repeat(64)}`
    const found = occasions([
      at(9000, 'permit'),
      at(8990, 'deny'),
      at(8980, 'permit'),
      at(8970, 'permit', list),
      at(100, 'permit', list),
    ])
    expect(found.map((o) => [o.first.outcome, o.records.length])).toEqual([
      ['permit', 2],
      ['deny', 1],
      ['permit', 1],
    ])
  })
})

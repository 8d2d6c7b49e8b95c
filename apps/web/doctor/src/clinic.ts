/** Records as a clinician reads them: which section, which words, which numbers. */
import { plainValue, type DocumentType, type Json, type Listed, type Released } from '@healthtrust/kit'
import { platform } from './state'

export const SECTIONS = {
  problems: ['diagnosis', 'allergy'],
  medication: ['medication'],
  laboratory: ['laboratory', 'vital-signs'],
  documents: ['clinical-note', 'encounter', 'imaging', 'procedure', 'checkup', 'care-plan'],
  other: ['summary', 'immunization', 'device', 'social-history', 'mental-health'],
} as const
export type Section = keyof typeof SECTIONS

export const inSection = (section: Section, entries: Listed[]): Listed[] =>
  entries.filter((e) => (SECTIONS[section] as readonly string[]).includes(e.category)).sort((a, b) => b.recordedAt - a.recordedAt)

export const typeOf = (record: { schema: string }): DocumentType | undefined =>
  platform.documentTypes.get(record.schema as `0x${string}`)

/** Value of an element by its short name; undefined where withheld or not part of the type. */
export function element(record: Released, id: string): Json | undefined {
  const n = typeOf(record)?.elements.find((e) => e.id === id)?.n
  return n === undefined ? undefined : record.disclosure.values[String(n)]
}

/** The first of these elements that says something. */
export function firstOf(record: Released, ids: string[], locale: string): string {
  for (const id of ids) {
    const found = plainValue(element(record, id), '', locale, '')
    if (found) return found
  }
  return ''
}

export const titleOf = (record: Released, locale: string): string =>
  firstOf(record, ['name', 'title', 'display', 'type', 'code', 'class'], locale) || typeName(record, locale)

export function typeName(record: { schema: string; category: string }, locale: string): string {
  const type = typeOf(record)
  return type ? (locale.startsWith('zh') ? type.name.zh : type.name.en) : record.category
}

/** A laboratory or vital value as a number, or null. */
export function numeric(record: Released): number | null {
  const raw = element(record, 'value')
  const value = typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? raw['value'] : raw
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

export interface Series {
  name: string
  unit: string
  points: { time: number; value: number; record: Released }[]
}

/** Values of the same item over time; items with one value make no trend. */
export function series(records: Released[], locale: string): Series[] {
  const all = new Map<string, Series>()
  for (const record of records) {
    const value = numeric(record)
    if (value === null) continue
    const name = titleOf(record, locale)
    const unit = plainValue(element(record, 'unit'), '', locale, '')
    const one = all.get(`${name} ${unit}`) ?? { name, unit, points: [] }
    one.points.push({ time: record.recordedAt, value, record })
    all.set(`${name} ${unit}`, one)
  }
  return [...all.values()]
    .filter((s) => s.points.length > 1)
    .map((s) => ({ ...s, points: s.points.sort((a, b) => a.time - b.time) }))
}

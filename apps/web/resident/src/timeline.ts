/** Records as a person remembers them: by year, then by day and hospital, then by kind. */
import { nameOf as term, type Hex, type RecordSummary } from '@healthtrust/kit'
import { platform } from './state'

export interface Visit {
  key: string
  time: number
  custodian: Hex
  records: RecordSummary[]
}

export interface Year {
  year: number
  visits: Visit[]
}

/** What a record is called; its document type, or its category where the type is not known. */
export function titleOf(record: Pick<RecordSummary, 'schema' | 'category'>, locale: string): string {
  const type = platform.documentTypes.get(record.schema)
  return type ? (locale.startsWith('zh') ? type.name.zh : type.name.en) : term('categories', record.category, locale)
}

export function byYear(records: RecordSummary[]): Year[] {
  const visits = new Map<string, Visit>()
  for (const record of [...records].sort((a, b) => b.recordedAt - a.recordedAt)) {
    const key = `${new Date(record.recordedAt * 1000).toLocaleDateString('sv')} ${record.custodian}`
    const visit = visits.get(key) ?? { key, time: record.recordedAt, custodian: record.custodian, records: [] }
    visit.records.push(record)
    visits.set(key, visit)
  }
  const years = new Map<number, Visit[]>()
  for (const visit of visits.values()) {
    const year = new Date(visit.time * 1000).getFullYear()
    years.set(year, [...(years.get(year) ?? []), visit])
  }
  return [...years].map(([year, all]) => ({ year, visits: all }))
}

export interface Counted {
  key: string
  title: string
  records: RecordSummary[]
}

/** Records by kind, most first. */
export function byKind(records: RecordSummary[], locale: string): Counted[] {
  const kinds = new Map<string, Counted>()
  for (const record of records) {
    const kind = kinds.get(record.schema) ?? { key: record.schema, title: titleOf(record, locale), records: [] }
    kind.records.push(record)
    kinds.set(record.schema, kind)
  }
  return [...kinds.values()].sort((a, b) => b.records.length - a.records.length)
}

/** From what was asked and what the person took away to the scope that will be signed: never wider than asked. */
import type { DocumentType, FieldMask, Hex, RecordSummary, Scope } from '@healthtrust/kit'

export type Asked = Pick<Scope, 'categories' | 'custodians' | 'records' | 'fields'>

export interface TakenAway {
  categories: Set<string>
  records: Set<Hex>
  /** Element numbers by schema. */
  elements: Map<Hex, Set<number>>
  /** Records that come into being later are not opened. */
  future: boolean
}

/** More single records than this do not fit one consent; then only whole kinds can be chosen. */
export const MOST_RECORDS = 1024

export const nothingTaken = (): TakenAway => ({ categories: new Set(), records: new Set(), elements: new Map(), future: false })

/** Of the person's records, those that were asked for. */
export function askedFor(asked: Asked, entries: RecordSummary[]): RecordSummary[] {
  const within = <T>(list: T[] | 'all', value: T): boolean => list === 'all' || list.includes(value)
  return entries.filter(
    (e) => within(asked.categories, e.category) && within(asked.custodians, e.custodian) && within(asked.records, e.record),
  )
}

/** Elements of a document type that were asked for. */
export function askedElements(asked: Asked, type: DocumentType): number[] {
  const mask = asked.fields === 'all' ? 'all' : asked.fields.find((f) => f.schema === type.id)?.elements
  return mask === 'all' ? type.elements.map((e) => e.n) : (mask ?? [])
}

function fields(asked: Asked, taken: TakenAway, types: DocumentType[]): FieldMask[] | 'all' {
  if (![...taken.elements.values()].some((s) => s.size > 0)) return asked.fields
  const masks = types.map((type) => {
    const elements = askedElements(asked, type).filter((n) => !taken.elements.get(type.id)?.has(n))
    return { schema: type.id, elements }
  })
  return masks.filter((m) => m.elements.length > 0)
}

/** The chosen part of what was asked; null when nothing is left of it. */
export function choose(asked: Asked, entries: RecordSummary[], taken: TakenAway, types: DocumentType[]): Asked | null {
  const all = asked.categories === 'all' ? [...new Set(types.map((t) => t.category))] : asked.categories
  const kept = all.filter((c) => !taken.categories.has(c))
  const records = askedFor(asked, entries).filter((e) => kept.includes(e.category))
  const ticked = records.filter((e) => !taken.records.has(e.record))
  const single = asked.records !== 'all' || taken.future || ticked.length < records.length
  const categories = taken.categories.size === 0 ? asked.categories : kept
  const masks = fields(
    asked,
    taken,
    types.filter((t) => kept.includes(t.category)),
  )
  const empty = kept.length === 0 || (single && ticked.length === 0) || (masks !== 'all' && masks.length === 0)
  if (empty || (single && ticked.length > MOST_RECORDS)) return null
  return { categories, custodians: asked.custodians, records: single ? ticked.map((e) => e.record) : 'all', fields: masks }
}

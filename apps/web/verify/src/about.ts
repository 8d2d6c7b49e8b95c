/** What a bundle says it is about, for people; true only as far as the checks hold. */
import { at, byNumber, isObject, nameOf, type Value } from '@healthtrust/kit'

export interface About {
  type: string
  record: string
  reader: string
  custodian: string
  purpose: string
  time: number | null
  shown: { name: string; value: Value }[]
  withheld: number
}

const text = (value: Value | undefined): string => (typeof value === 'string' ? value : '')

function member(doc: Value, ...path: string[]): Value | undefined {
  try {
    return at(doc, ...path)
  } catch {
    return undefined
  }
}

/** Name in the reader's language, from `{zh, en}`. */
const named = (value: Value | undefined, language: 'zh' | 'en'): string => (isObject(value) ? text(value[language]) : '')

export function aboutOf(bundle: Value, language: 'zh' | 'en'): About {
  const values = member(bundle, 'record', 'disclosure', 'values')
  const hashes = member(bundle, 'record', 'disclosure', 'hashes')
  const purpose = member(bundle, 'decision', 'request', 'purpose')
  const term = typeof purpose === 'bigint' ? byNumber('purposes', Number(purpose)) : undefined
  const time = member(bundle, 'decision', 'time')
  return {
    type: named(member(bundle, 'record', 'schema', 'name'), language),
    record: text(member(bundle, 'record', 'id')),
    reader: text(member(bundle, 'decision', 'request', 'requester')),
    custodian: text(member(bundle, 'record', 'custodian')),
    purpose: term ? nameOf('purposes', term.code, language) : '',
    time: typeof time === 'bigint' ? Number(time) : null,
    shown: isObject(values)
      ? Object.entries(values).map(([n, value]) => ({ name: elementName(bundle, n, language), value }))
      : [],
    withheld: isObject(hashes) ? Object.keys(hashes).length : 0,
  }
}

function elementName(bundle: Value, n: string, language: 'zh' | 'en'): string {
  const elements = member(bundle, 'record', 'schema', 'elements')
  const found = Array.isArray(elements) ? elements.find((e) => isObject(e) && String(e['n']) === n) : undefined
  return (found && isObject(found) && (named(found['name'], language) || text(found['id']))) || n
}

/** A value as one line of text. */
export function plain(value: Value): string {
  if (value === null || value === '') return '—'
  if (Array.isArray(value)) return value.map(plain).join(' · ')
  if (isObject(value)) return Object.values(value).map(plain).join(' ')
  return String(value)
}

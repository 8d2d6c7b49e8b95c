/** One sentence a person understands, for every consent. */
import { day } from './dates'
import type { Scope } from './scope'
import { byNumber, nameOf } from './vocabulary'

type Translate = (key: string, named?: Record<string, unknown>) => string
export interface Speech {
  t: Translate
  locale: string
  /** Name of an organisation or practitioner; its short id where nobody told us. */
  nameOf: (id: string) => string
}

export const shortId = (id: string): string => `${id.slice(0, 8)}…${id.slice(-4)}`

export function granteeName(scope: Pick<Scope, 'grantee'>, speech: Speech): string {
  const { type, id, organisation } = scope.grantee
  const bound = organisation && organisation !== id ? speech.nameOf(organisation) : ''
  if (type !== 'role') return [bound, speech.nameOf(id)].filter(Boolean).join(' ')
  const role = byNumber('roles', Number(BigInt(id)))
  const name = role ? (speech.locale.startsWith('zh') ? role.zh : role.en) : shortId(id)
  return [bound, speech.t('sentence.anyRole', { role: name })].filter(Boolean).join(' ')
}

export function whatOpens(scope: Pick<Scope, 'categories' | 'records' | 'fields'>, speech: Speech): string {
  const { categories, records, fields } = scope
  const names =
    categories === 'all'
      ? speech.t('sentence.allCategories')
      : categories.map((c) => nameOf('categories', c, speech.locale)).join(speech.t('sentence.join'))
  const counted = records === 'all' ? names : speech.t('sentence.records', { what: names, n: records.length })
  const cut = fields !== 'all' && fields.some((f) => f.elements !== 'all')
  return cut ? speech.t('sentence.fields', { what: counted }) : counted
}

/** “允许 静安区中心医院 内科 看病时查看 检验、用药，到 3月1日” */
export function scopeSentence(scope: Scope, speech: Speech): string {
  const { t, locale } = speech
  const purpose = scope.purposes.map((p) => t(`sentence.purpose.${p}`)).join(t('sentence.join'))
  const date = t('sentence.until', { date: day(scope.period.end, locale) })
  const until = scope.uses ? t('sentence.uses', { n: scope.uses, until: date }) : date
  return t('sentence.grant', { who: granteeName(scope, speech), purpose, what: whatOpens(scope, speech), until })
}

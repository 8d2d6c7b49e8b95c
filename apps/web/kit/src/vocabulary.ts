/** Numbers and names of purposes, categories and roles, from the one file every implementation reads. */
import vocabulary from '../../../../core/vocabulary.json'

export interface Term {
  n: number
  code: string
  zh: string
  en: string
}

export type Kind = 'purposes' | 'categories' | 'roles'
export const terms = (kind: Kind): Term[] => vocabulary[kind]
export const byCode = (kind: Kind, code: string): Term | undefined => terms(kind).find((t) => t.code === code)
export const byNumber = (kind: Kind, n: number): Term | undefined => terms(kind).find((t) => t.n === n)

/** Number of a code. Throws RangeError for a code outside the vocabulary. */
export function numberOf(kind: Kind, code: string): number {
  const term = byCode(kind, code)
  if (!term) throw new RangeError(`${code} is not among ${kind}`)
  return term.n
}

/** Name in the reader's language; an unknown code names itself. */
export function nameOf(kind: Kind, code: string, locale: string): string {
  const term = byCode(kind, code)
  return term ? (locale.startsWith('zh') ? term.zh : term.en) : code
}

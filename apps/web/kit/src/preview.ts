/** What a scope opens of real records, and what that changes against today; worked out on the device with the one decision function. */
import type { Hex } from './bytes'
import { grantedFields, parseScopeWords, scopeReason, type ParsedScope, type Question } from './decision'
import type { ConsentItem, DocumentType, RecordSummary } from './model'
import { maskOf, scopeWords, type Scope } from './scope'
import { nameOf, numberOf } from './vocabulary'

export interface Difference {
  added: string[]
  kept: string[]
  removed: string[]
}

const ZERO: Hex = `0x${'0'.repeat(64)}`

function question(asker: Scope, entry: RecordSummary): Question {
  const { type, id, organisation } = asker.grantee
  return {
    subject: asker.subject,
    requester: type === 'practitioner' ? id : ZERO,
    organisation: type === 'organisation' ? id : (organisation ?? ZERO),
    role: type === 'role' ? Number(BigInt(id)) : 0,
    purpose: numberOf('purposes', asker.purposes[0]!),
    category: numberOf('categories', entry.category),
    custodian: entry.custodian,
    record: entry.record,
    schema: entry.schema,
    fields: maskOf('all'),
  }
}

/** Fields of this record that the scopes open to the asker of `asker`; 0 = none. */
export function opened(asker: Scope, scopes: ParsedScope[], entry: RecordSummary, type: DocumentType | undefined): bigint {
  const q = question(asker, entry)
  const known = type ? maskOf(type.elements.map((e) => e.n)) : maskOf('all')
  return scopes.filter((s) => scopeReason(s, q) === null).reduce((mask, s) => mask | (grantedFields(s, entry.schema) & known), 0n)
}

/**
 * By kind of record: what the grantee would newly see, still see, no longer see. `replaces`: the consent that the new scope takes the place
 * of. Null where the scope is empty.
 */
export function decisionDifference(
  scope: Scope | null,
  consents: ConsentItem[],
  entries: RecordSummary[],
  types: Map<Hex, DocumentType>,
  locale: string,
  replaces?: string,
): Difference | null {
  if (!scope) return null
  const inForce = consents.filter((c) => c.status === 'active' && c.scope)
  const parse = (list: ConsentItem[]): ParsedScope[] => list.map((c) => parseScopeWords(scopeWords(c.scope!)))
  const [before, staying] = [parse(inForce), parse(inForce.filter((c) => c.consent !== replaces))]
  const after = [...staying, parseScopeWords(scopeWords(scope))]
  const counts = { added: new Map<string, number>(), kept: new Map<string, number>(), removed: new Map<string, number>() }
  for (const entry of entries) {
    const type = types.get(entry.schema)
    const [was, will] = [opened(scope, before, entry, type), opened(scope, after, entry, type)]
    if (!was && !will) continue
    const kind = will & ~was ? counts.added : was & ~will ? counts.removed : counts.kept
    kind.set(entry.category, (kind.get(entry.category) ?? 0) + 1)
  }
  const named = (map: Map<string, number>): string[] => [...map].map(([code, n]) => `${nameOf('categories', code, locale)} ${n}`)
  return { added: named(counts.added), kept: named(counts.kept), removed: named(counts.removed) }
}

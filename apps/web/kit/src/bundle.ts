/** A proof bundle as a gate hands it out, and what its checks come to in a reader's words. The checks are those of `check/`, the same as on the page for everybody (docs/formats.md, 9). */
import type { Artefact } from './artefact'
import type { Hex } from './bytes'
import type { Json } from './canonical'
import { check, MANDATORY, parseJson, type Code } from './check'
import type { LedgerState } from './decision'
import type { EmergencyArtefact } from './emergency'

/** A record as released: values and their salts, leaf hashes of what is withheld; keys are element numbers as decimal text. */
export interface Disclosure {
  schema: Hex
  elementCount: number
  commitmentSalt: Hex
  values: Record<string, Json>
  salts: Record<string, Hex>
  hashes: Record<string, Hex>
}

export interface InclusionProof {
  leafIndex: number
  treeSize: number
  hashes: string[]
}

/** Proof bundle, as far as the browser checks it. */
export interface Bundle {
  record: { id: Hex; custodian: Hex; subject: Hex; disclosure: Disclosure; digestSalt: Hex; schema: Record<string, unknown> }
  index: { entry: Hex; proof: InclusionProof; root: Hex; batch: number }
  request: { base: string; signature: string; keyid: string; publicKey: Hex; body?: string | null }
  consent: { artefact: Artefact | EmergencyArtefact | null }
  decision: {
    outcome: string
    reason: string
    fields: Hex
    height: number
    block: Hex
    time: number
    request: {
      subject: Hex
      requester: Hex
      organisation: Hex
      custodian: Hex
      record: Hex
      schema: Hex
      role: number
      purpose: number
      category: number
      fields: Hex
    }
    state: LedgerState
  }
  receipt: {
    json: string
    salt: Hex
    number: number
    signature: Hex
    group: InclusionProof & { first: number; root: Hex }
    anchor: unknown
  }
  ledger: Record<string, unknown> | null
  custodianKey: Hex
}

/** A line of `check.…` words, and the checks it stands for. */
const LINES = {
  content: ['record', 'withheld', 'fields'],
  entry: ['entry'],
  inclusion: ['index'],
  request: ['request', 'request_body'],
  consent: ['consent'],
  decision: ['decision'],
  receipt: ['receipt', 'receipt_group'],
  digest: ['receipt_content'],
  ledger: ['ledger_index', 'ledger_consent', 'ledger_members', 'ledger_credential', 'ledger_custodian', 'ledger_time'],
} satisfies Record<string, Code[]>

export interface CheckLine {
  /** Key of the words `check.…`. */
  key: keyof typeof LINES | 'root'
  /** Null: not shown by this bundle. */
  holds: boolean | null
  detail?: string
}

/** False if one check fails; null if none is shown, or one that nothing can stand in for is missing. */
function together(found: Map<Code, boolean | null>, codes: Code[]): boolean | null {
  const seen = codes.map((code) => found.get(code) ?? null)
  if (seen.includes(false)) return false
  const missing = codes.some((code, i) => seen[i] === null && MANDATORY.has(code))
  return missing || seen.every((holds) => holds === null) ? null : true
}

/** Every check of a bundle that needs nothing but the bundle. `anchoredRoot`: the root another source names for the batch, if asked. */
export function bundleChecks(bundle: Bundle, anchoredRoot: string | null): CheckLine[] {
  const report = check(parseJson(JSON.stringify(bundle)), undefined)
  if (report.exit === 2) return [{ key: 'content', holds: false }]
  const found = new Map(report.lines.map(({ code, ok }) => [code, ok]))
  const lines = Object.entries(LINES).map(([key, codes]) => ({
    key: key as keyof typeof LINES,
    holds: together(found, codes),
    ...detailOf(bundle, key),
  }))
  const own = bundle.consent.artefact === null
  const root = { key: 'root' as const, holds: anchoredRoot === null ? null : anchoredRoot === bundle.index.root }
  return [...lines.filter(({ key, holds }) => !(own && key === 'consent' && holds === null)), root]
}

function detailOf(bundle: Bundle, key: string): { detail?: string } {
  const details: Record<string, string> = {
    inclusion: bundle.index.root,
    decision: `block ${bundle.decision.height}`,
    receipt: String(bundle.receipt.number),
  }
  return details[key] ? { detail: details[key] } : {}
}

export const allHold = (lines: CheckLine[]): boolean =>
  lines.length > 0 && lines.every((l) => l.holds !== false) && lines.some((l) => l.holds)

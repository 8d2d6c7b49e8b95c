/** What the mirror answers about agreement and about a moment (docs/services.md, docs/formats.md §15 and §16). Times are UTC seconds. */
import type { Hex, Scope } from '@healthtrust/kit'

export interface Said {
  organisation: Hex
  height: number
  digest: Hex
  agrees: boolean | null
  signed: boolean
  recorded: number
  transaction: Hex
}

export interface SaidAt {
  height: number
  ours: Hex | null
  agree: boolean
  said: Said[]
}

export interface Agreement {
  height: number
  heights: SaidAt[]
  organisations: { organisation: Hex; statements: number; newest: number; agreed: number | null; differs: number | null }[]
}

/** A consent in the tree of live consents, with the path from its leaf to the root. */
export interface Leaf {
  consent: Hex
  subject: Hex
  commitment: Hex
  not_before: number
  not_after: number
  use_limit: number
  uses: number
  index: number
  path: Hex[]
}

export interface Section {
  subject: Hex
  size: number
  leaves: Leaf[]
  before: Leaf | null
  after: Leaf | null
}

export interface Happened {
  event: string
  height: number
  block: Hex
  time: number
  transaction: Hex
}

export interface Line {
  consent: Hex
  state: string
  not_before: number
  not_after: number
  use_limit: number
  uses: number
  granted: Happened
  opened: { scope: Scope; decided: { purpose: string; outcome: string; reason: string; fields: Hex }[] } | null
}

export interface Reading {
  store: Hex
  number: number
  time: number
  requester: Hex
  organisation: Hex
  record: Hex
  purpose: string
  consent: Hex | null
  outcome: string
  reason: string
  height: number
  receipt: string
  proof: { salt: Hex; root: Hex; leafIndex: number; treeSize: number; hashes: Hex[]; height: number; transaction: Hex } | null
}

export interface AsOf {
  identifier: Hex
  record: {
    record: Hex
    organisation: Hex
    subject: Hex
    schema: Hex
    category: number
    version: number
    deleted: boolean
  } | null
  height: number
  block: Hex
  block_time: number
  time: number
  root: Hex
  section: Section
  lines: Line[]
  ended: { consent: Hex; status: string; successor: Hex; ended: Happened }[]
  attested: SaidAt & { near: [number | null, number | null] }
  readings: Reading[]
  truncated: boolean
  stores: { store: Hex; anchored: number; known: number; complete: boolean }[]
}

export interface OrganisationRow {
  organisation: Hex
  status: number
  roles: number
  joined_at: number
}

export interface ContractRow {
  name: Hex
  target: Hex
  version: number
  frozen: number
  since: number
}

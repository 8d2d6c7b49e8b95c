/** Finding what an identifier is: block, transaction, account, or anything that has a life. */
import { Problem, type Hex } from '@healthtrust/kit'
import type { Block, EventRow, Known, ReceiptBatch, Trace, Transaction } from '../model'
import type { AuditorPlatform } from '../platform'
import { batchesOf, relatives } from './life'

export type Is =
  | 'record'
  | 'consent'
  | 'subject'
  | 'practitioner'
  | 'organisation'
  | 'request'
  | 'root'
  | 'transaction'
  | 'block'
  | 'schema'
  | 'account'
  | 'contract'
  | 'identifier'
  | 'nothing'

export interface Found {
  is: Is
  life: { trace: Trace; known: Known; batches: ReceiptBatch[] } | null
  block: Block | null
  events: EventRow[]
  transaction: Transaction | null
  /** Blocks the mirror is behind, where nothing was found. */
  lag: number
}

/** Tidied input, or null where it can be no identifier: `0x` and 40 or 64 hex digits, or a block height. */
export function tidied(text: string): string | null {
  const bare = text
    .trim()
    .toLowerCase()
    .replace(/[\s\u200b]/g, '')
    .replace(/^(subject|practitioner|organisation):/, '')
  if (/^\d{1,15}$/.test(bare)) return String(Number(bare))
  const digits = bare.replace(/^0x/, '')
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digits) ? `0x${digits}` : null
}

const NOTHING: Found = { is: 'nothing', life: null, block: null, events: [], transaction: null, lag: 0 }

export async function look(platform: AuditorPlatform, text: string): Promise<Found> {
  const id = tidied(text)
  if (id === null) return NOTHING
  if (!id.startsWith('0x')) return lookForBlock(platform, id)
  const life = await lookForLife(platform, id)
  const transaction = life.trace.roles.includes('transaction') ? await platform.transaction(id as Hex) : null
  if (life.trace.nodes.length || life.known.entries.length || life.known.receipts.length || life.known.requests.length)
    return { ...NOTHING, is: transaction ? 'transaction' : whatIs(id, life.trace, life.known), life, transaction }
  const block = id.length === 66 ? await lookForBlock(platform, id) : NOTHING
  if (block.block) return block
  const status = await platform.status()
  return { ...NOTHING, lag: status.lag_blocks ?? 0 }
}

async function lookForLife(platform: AuditorPlatform, id: string): Promise<NonNullable<Found['life']>> {
  const known = id.length === 66 ? await platform.known(id as Hex) : unknown(id)
  const stores = [...new Set(known.receipts.map((r) => r.store))]
  const pages = await Promise.all(stores.map((store) => platform.receiptBatches(store as Hex)))
  const batches = batchesOf(
    known.receipts,
    pages.flatMap((p) => p.rows),
  )
  const trace = await platform.trace(id, relatives(known, batches))
  return { trace, known, batches }
}

const unknown = (identifier: string): Known => ({
  identifier: identifier as Hex,
  entries: [],
  receipts: [],
  requests: [],
  truncated: false,
})

async function lookForBlock(platform: AuditorPlatform, reference: string): Promise<Found> {
  try {
    const block = await platform.block(reference)
    const events = (await platform.eventsOf(block.height)).rows
    return { ...NOTHING, is: 'block', block, events }
  } catch (e) {
    if (e instanceof Problem && (e.status === 404 || e.status === 400)) return NOTHING
    throw e
  }
}

/** As what an argument of this name occurs. */
const ROLES: Record<string, Is> = {
  consent: 'consent',
  old: 'consent',
  record: 'record',
  subject: 'subject',
  practitioner: 'practitioner',
  requester: 'practitioner',
  organisation: 'organisation',
  by: 'organisation',
  registrar: 'organisation',
  root: 'root',
  previousRoot: 'root',
  schemaId: 'schema',
  supersedes: 'schema',
  account: 'account',
  target: 'contract',
}

function whatIs(id: string, trace: Trace, known: Known): Is {
  if (known.entries.some((e) => e.record === id)) return 'record'
  if (known.requests.some((r) => r.id === id)) return 'request'
  const named = trace.roles.map((r) => ROLES[r]).find((r) => r !== undefined)
  if (named) return named
  if (known.receipts.some((r) => r.subject === id)) return 'subject'
  if (known.receipts.some((r) => r.requester === id)) return 'practitioner'
  return known.receipts.some((r) => r.consent === id) ? 'consent' : 'identifier'
}

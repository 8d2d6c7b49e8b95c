/** What a practitioner does: find a patient, ask, read what was allowed, keep the proof. */
import { openArtefact, type Artefact, type SealedArtefact } from './artefact'
import { bundleChecks, type Bundle, type CheckLine, type Disclosure } from './bundle'
import { fromHex, toHex, type Hex } from './bytes'
import { canonicalBytes } from './canonical'
import type { Schemas, Told } from './client'
import { randomBytes, sign } from './crypto'
import { now } from './dates'
import { beginEmergency, confirmEmergency, emergencyScope, type EmergencyArtefact, type StaffEmergency } from './emergency'
import { parseEntry, type IndexEntry } from './entry'
import { Problem, type Http } from './http'
import type { AccessRequest, RecordSummary } from './model'
import { Platform } from './platform'
import type { FieldMask, Scope } from './scope'

export interface Wish {
  purpose: string
  categories: string[] | 'all'
  fields: FieldMask[] | 'all'
  end: number
  reason: string
}

export interface ReceivedConsent {
  consent: Hex
  subject: Hex
  status: string
  period: { start: number; end: number }
  uses: number
  used: number
  /** Of an emergency what both signed, in the clear. */
  sealed: SealedArtefact | EmergencyArtefact | null
  /** Null where it is sealed to the organisation, not to the person. */
  scope: Scope | null
}

export interface Listed extends RecordSummary {
  fields: Hex
}

export interface ListedAll {
  entries: Listed[]
  /** Custodians that gave no answer, and why. */
  silent: { custodian: Hex; reason: string; code: string }[]
}

export interface Released extends RecordSummary {
  disclosure: Disclosure
  withheld: number[]
  entry: IndexEntry
  bundle: Bundle
  checks: CheckLine[]
}

interface GateEntry {
  record: Hex
  schema: Hex
  category: string
  version: number
  recordedAt: number
  fields: Hex
}

type ReceivedOut = Told<Schemas['ConsentOut'], { artefact?: SealedArtefact | null }>

const MOST_PAGES = 20

export class DoctorPlatform extends Platform {
  roles: string[] = []

  get id(): Hex {
    return this.own.keyid.split(':')[1] as Hex
  }

  /** After log-in: the roles the credential names. */
  async learnRoles(): Promise<void> {
    this.roles = (await this.client.get('credentials/{practitioner}', { parts: { practitioner: this.id } })).roles
  }

  private get role(): string {
    return this.roles[0] ?? 'physician'
  }

  /** Whether somebody has an account; nothing else is learned, and the person is told. */
  async find(by: { id_number: string } | { code: string }): Promise<Hex> {
    return (await this.client.post('identities/lookups', by)).subject
  }

  async requests(): Promise<AccessRequest[]> {
    return (await this.client.get('access-requests')).items as AccessRequest[]
  }

  /** Asks a patient (remote), or, with no subject, whoever scans the code (on site). */
  async ask(subject: Hex | null, wish: Wish, mode: 'remote' | 'on-site'): Promise<Schemas['RequestMade']> {
    const time = now() + this.client.skew
    const document: Schemas['RequestDocument'] = {
      kind: 'healthtrust/access-request',
      version: 1,
      id: toHex(randomBytes(32)),
      subject,
      requester: this.id,
      organisation: this.session!.organisation!,
      role: this.role,
      purpose: wish.purpose,
      categories: wish.categories,
      fields: wish.fields,
      period: { start: time - 60, end: wish.end },
      reason: wish.reason,
      mode,
      time,
    }
    const signature = toHex(sign(canonicalBytes(document), this.own.key))
    return this.client.post('access-requests', {
      document,
      salt: toHex(randomBytes(32)),
      signature,
    })
  }

  withdraw = (id: Hex): Promise<Schemas['Accepted']> =>
    this.client.post('access-requests/{id}/withdrawal', undefined, { parts: { id } })

  async consents(): Promise<ReceivedConsent[]> {
    const { items } = await this.client.get('consents/received')
    return (items as ReceivedOut[]).map(({ artefact, ...c }) => ({
      ...c,
      sealed: artefact ?? null,
      scope: (artefact && this.opened(artefact)?.scope) || null,
    }))
  }

  /** What waits for a second person here, and what this person signed. */
  async emergencies(): Promise<StaffEmergency[]> {
    return (await this.client.get('emergencies/staff')).items as StaffEmergency[]
  }

  /** Begins a reading without the patient. Nothing opens before somebody else has confirmed it. */
  async beginEmergency(subject: Hex, reason: string, minutes: number): Promise<void> {
    const scope = emergencyScope(subject, this.id, this.session!.organisation!, now() + this.client.skew)
    await this.client.post('emergencies', beginEmergency(scope, reason, minutes, await this.domain('Access'), this.own.key))
  }

  /** Signs as the second person; then the own organisation's gate puts it on the ledger. */
  async confirmEmergency(e: StaffEmergency): Promise<void> {
    const signature = confirmEmergency(e, await this.domain('Access'), this.own.key)
    const parts = { id: e.id }
    const confirmed = await this.client.post('emergencies/{id}/confirmation', { signature }, { parts })
    await this.openEmergency(confirmed as StaffEmergency)
  }

  /** Puts what both signed on the ledger; again is no error. */
  async openEmergency(e: StaffEmergency): Promise<void> {
    await this.gate(e.organisation).call('POST', 'emergencies', { body: e.opening, signer: this.own })
  }

  private opened(sealed: SealedArtefact): Artefact | null {
    try {
      return openArtefact(sealed, this.id, this.own.key.privateKey)
    } catch {
      return null
    }
  }

  /** Every record this consent opens, asked of every custodian's gate at once. */
  async list(consent: ReceivedConsent, purpose: string): Promise<ListedAll> {
    const gates = [...this.organisations.values()].filter((o) => o.custodian && o.active && o.gate)
    const named = consent.scope?.custodians
    const asked = gates.filter((o) => !named || named === 'all' || named.includes(o.id))
    const found = await Promise.all(asked.map((o) => this.listAt(o.id, consent, purpose)))
    return { entries: found.flatMap((f) => f.entries), silent: found.flatMap((f) => f.silent) }
  }

  private async listAt(custodian: Hex, consent: ReceivedConsent, purpose: string): Promise<ListedAll> {
    try {
      return { entries: await this.pages(this.gate(custodian), custodian, consent, purpose), silent: [] }
    } catch (e) {
      const code = e instanceof Problem ? e.code : 'failed'
      return { entries: [], silent: [{ custodian, code, reason: e instanceof Error ? e.message : String(e) }] }
    }
  }

  private async pages(gate: Http, custodian: Hex, consent: ReceivedConsent, purpose: string): Promise<Listed[]> {
    const all: Listed[] = []
    let after = -1
    for (let page = 0; page < MOST_PAGES; page++) {
      const body = {
        subject: consent.subject,
        purpose,
        role: this.role,
        consent: consent.consent,
        artefact: consent.sealed,
        after,
      }
      const answer = await gate.call<{ entries: GateEntry[]; next: number | null }>('POST', 'records/list', {
        body,
        signer: this.own,
      })
      all.push(
        ...answer.entries.map((e) => ({
          ...e,
          custodian,
          subject: consent.subject,
          category: e.category,
        })),
      )
      if (answer.next === null) break
      after = answer.next
    }
    return all
  }

  /** One record, cut to what was granted, with everything checked that can be checked here. */
  async read(record: Listed, consent: ReceivedConsent, purpose: string): Promise<Released> {
    const { subject, schema, category, custodian } = record
    const request = { subject, purpose, record: record.record, schema, category, fields: 'all', role: this.role }
    const body = { request, consent: consent.consent, artefact: consent.sealed }
    const answer = await this.gate(custodian).call<{ withheld: number[]; bundle: Bundle }>('POST', 'records/read', {
      body,
      signer: this.own,
    })
    const { bundle } = answer
    const entry = parseEntry(fromHex(bundle.index.entry))
    const checks = bundleChecks(bundle, null)
    const asked = entry.record === record.record && entry.subject === subject && entry.organisation === custodian
    if (!asked) checks.unshift({ key: 'entry', holds: false, detail: entry.record })
    return { ...record, disclosure: bundle.record.disclosure, withheld: answer.withheld.map(Number), entry, bundle, checks }
  }

  /** The bundle with what the ledger adds once the receipt is there. */
  async completed({ custodian, bundle }: Released): Promise<Bundle> {
    const path = `receipts/${bundle.receipt.number}/bundle`
    const added = await this.gate(custodian).call<Pick<Bundle, 'receipt' | 'ledger'>>('GET', path, { signer: this.own })
    if (added.receipt.json !== bundle.receipt.json) throw new Problem(0, 'other_receipt', 'this completes another receipt')
    return { ...bundle, ...added }
  }
}

/** An emergency that is open for its reader, as the desk reads under it. Null where it is not. */
export function asConsent(e: StaffEmergency): ReceivedConsent | null {
  if (e.state !== 'open' || !e.artefact || !e.ends) return null
  const { scope } = e.artefact
  const period = { start: scope.period.start, end: e.ends }
  return { consent: e.id, subject: e.subject, status: 'active', period, uses: 0, used: 0, sealed: e.artefact, scope }
}

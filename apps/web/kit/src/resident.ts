/** What a resident does: open the account, see records, decide, look who read. */
import { sealArtefact, signConsent, openArtefact, type Recipient, type SealedArtefact } from './artefact'
import { bundleChecks, type Bundle } from './bundle'
import { equal, fromHex, toHex, utf8, word, type Hex } from './bytes'
import { canonical, canonicalBytes, type Json } from './canonical'
import type { Schemas, Told } from './client'
import { randomBytes, sign, verify, type KeyPair } from './crypto'
import { now } from './dates'
import type { EmergencyItem } from './emergency'
import { parseEntry } from './entry'
import { Problem } from './http'
import { consentRevoke, keyBind, keyRotate, keyVeto } from './messages'
import type { AccessRequest, ConsentItem, Notice, Operation, Reading, RecordSummary, RecordView, Recovery } from './model'
import { LONG_WAIT_SECONDS, Platform } from './platform'
import { scopeWords, type Scope } from './scope'
import {
  Acquaintances,
  asKnown,
  DoubtfulKey,
  freshNonce,
  heard,
  requireConfirmed,
  type Known,
  type Said,
  type Wanted,
} from './vouching'

export type Enrolment = Schemas['EnrolmentOut']
type Prepared = Told<Schemas['PrepareOut'], { words: Hex; recipients: (Recipient & { kind: string })[] }>
type ConsentOut = Told<
  Schemas['ConsentOut'],
  { status: ConsentItem['status']; successor: Hex | null; artefact?: SealedArtefact | null }
>

interface ReadAnswer {
  record: { version: number; recordedAt: number; category: number }
  withheld: number[]
  bundle: Bundle
}

type Step = (done: number) => void
const PAGE = 500
const LOOK_AGAIN_MS = 1500
const MOST_PAGES = 40
const SIGNED_MEMBERS = ['id', 'requester', 'organisation', 'role', 'purpose', 'categories', 'fields', 'period', 'reason', 'mode']
const STEP = { initialised: 1, pending: 2, succeeded: 3, failed: 2 } as const
const VOUCHER_MS = 8_000

export class ResidentPlatform extends Platform {
  private known: RecordSummary[] | null = null
  /** The institutions as this device knows them, whatever the gateway says today. */
  institutions: Acquaintances | null = null

  override async loadOrganisations(): Promise<void> {
    const [{ ledger }] = await Promise.all([this.ledger(), super.loadOrganisations()])
    this.institutions = new Acquaintances(ledger as Hex)
    this.institutions.meet(this.organisations.values())
  }

  get subject(): Hex {
    return this.own.keyid.split(':')[1] as Hex
  }

  beginEnrolment = (idNumber: string, name: string, code: string): Promise<Enrolment> =>
    this.client.post('identities/enrolments', { id_number: idNumber, name, code })

  /** Binds the key. The same ticket and key may be sent again after a stumble. */
  async finishEnrolment(e: Enrolment, key: KeyPair, onStep: (state: Operation['state']) => void): Promise<void> {
    const domain = await this.domain('Identity')
    if (domain !== e.domain) throw new Problem(0, 'other_ledger', e.domain)
    const possession = toHex(sign(keyBind(word(domain), word(e.subject), key.publicKey), key))
    const parts = { ticket: e.ticket }
    const body = { publicKey: toHex(key.publicKey), possession }
    const sent = { parts, idempotencyKey: e.ticket.slice(2, 34) }
    const { operation } = await this.client.post('identities/enrolments/{ticket}', body, sent)
    const look = { parts, query: { wait: LONG_WAIT_SECONDS } }
    await this.untilFinal(operation as Operation, () => this.client.get('identities/enrolments/{ticket}', look), onStep)
  }

  /** The old key hands over to a new one. */
  async rotate(old: KeyPair, key: KeyPair, onStep: Step): Promise<void> {
    const domain = word(await this.domain('Identity'))
    const { nonce } = await this.client.get('identities/{subject}/key', { parts: { subject: this.subject } })
    const subject = word(this.subject)
    const signature = toHex(sign(keyRotate(domain, subject, key.publicKey, nonce), old))
    const possession = toHex(sign(keyBind(domain, subject, key.publicKey), key))
    onStep(1)
    const body = { publicKey: toHex(key.publicKey), signature, possession }
    await this.settled(await this.client.post('identities/rotations', body), (s) => onStep(STEP[s]))
  }

  /** The key that waits to replace a subject's, or null. Open: whoever lost the phone has no key to ask with. */
  async recovery(subject: Hex): Promise<Recovery | null> {
    try {
      return (await this.client.get('identities/recoveries/{subject}', { parts: { subject } })) as Recovery
    } catch (e) {
      if (e instanceof Problem && e.status === 404) return null
      throw e
    }
  }

  /** The current key stops the key that waits. */
  async veto(waiting: Recovery, key: KeyPair, onStep: Step): Promise<void> {
    const domain = word(await this.domain('Identity'))
    const message = keyVeto(domain, word(this.subject), fromHex(waiting.publicKey), waiting.nonce)
    onStep(1)
    const body = { signature: toHex(sign(message, key)) }
    await this.settled(await this.client.post('identities/recoveries/veto', body), (s) => onStep(STEP[s]))
  }

  /** After the delay the waiting key takes its place; anybody may ask for it, the ledger decides. Returns once no key waits any more. */
  async completeRecovery(subject: Hex): Promise<void> {
    await this.client.post('identities/recoveries/{subject}/completion', undefined, { parts: { subject } })
    while (await this.recovery(subject)) await new Promise((later) => setTimeout(later, LOOK_AGAIN_MS))
  }

  /** All of the person's records as the index knows them, newest first. Fetched once a session, again after {@link forget}. */
  async entries(): Promise<RecordSummary[]> {
    if (this.known) return this.known
    const all: RecordSummary[] = []
    let cursor: string | null = null
    for (let page = 0; page < MOST_PAGES; page++) {
      const found: Schemas['EntryPage'] = await this.client.get('index/entries', { query: { limit: PAGE, cursor } })
      all.push(...found.items)
      cursor = found.next ?? null
      if (!cursor) break
    }
    return (this.known = all)
  }

  forget(): void {
    this.known = null
  }

  /** Own record from its custodian's gate, with everything that can be checked here checked. */
  async read(record: string): Promise<RecordView> {
    const summary = (await this.entries()).find((e) => e.record === record)
    if (!summary) throw new Problem(404, 'not_found', record)
    const { subject, schema, category } = summary
    const request = { subject, purpose: 'PATRQT', record, schema, category, fields: 'all', role: 'resident' }
    const answer = await this.gate(summary.custodian).call<ReadAnswer>('POST', 'records/read', {
      body: { request, consent: null, artefact: null },
      signer: this.own,
    })
    const root = await this.client.get('index/entries/{record}/proof', { parts: { record: summary.record } }).catch(() => null)
    const { disclosure } = answer.bundle.record
    const entryBytes = fromHex(answer.bundle.index.entry)
    const entry = parseEntry(entryBytes)
    const checks = bundleChecks(answer.bundle, root?.root ?? null)
    const asked = entry.record === record && entry.subject === subject && entry.organisation === summary.custodian
    if (!asked) checks.unshift({ key: 'entry', holds: false, detail: entry.record })
    const withheld = answer.withheld.map(Number)
    return {
      ...summary,
      version: entry.version,
      recordedAt: entry.recordedAt,
      disclosure,
      withheld,
      entry,
      entryBytes,
      bundle: answer.bundle,
      checks,
    }
  }

  async consents(): Promise<ConsentItem[]> {
    const { items } = await this.client.get('consents')
    return items.map((c) => this.opened(c as ConsentOut)).filter((c) => c.status !== 'refused')
  }

  private opened(c: ConsentOut): ConsentItem {
    const { consent, status, used, period, successor } = c
    try {
      const scope = c.artefact ? openArtefact(c.artefact, this.subject, this.own.key.privateKey).scope : null
      return { consent, status, used, period, successor, scope }
    } catch {
      return { consent, status, used, period, successor, scope: null }
    }
  }

  /** Who will be able to open a consent of this scope, the resident aside. */
  openers(scope: Scope): Hex[] {
    const { id, organisation } = scope.grantee
    const custodians =
      scope.custodians === 'all'
        ? [...this.organisations.values()].filter((o) => o.custodian && o.active).map((o) => o.id)
        : scope.custodians
    return [...new Set([id, ...(organisation ? [organisation] : []), ...custodians])]
  }

  /** Checks whose keys these are, signs, seals to exactly the right recipients, submits, and waits until the ledger has it. */
  grant = (scope: Scope, key: KeyPair, onStep: Step): Promise<Hex> => this.submit(scope, key, onStep)
  amend = (old: Hex, scope: Scope, key: KeyPair, onStep: Step): Promise<Hex> => this.submit(scope, key, onStep, old)

  private async submit(scope: Scope, key: KeyPair, onStep: Step, old?: Hex, request?: AccessRequest): Promise<Hex> {
    const [prepared, domain] = await Promise.all([
      this.client.post('consents/prepare', { scope: { ...scope } }) as Promise<Prepared>,
      this.domain('Consent'),
    ])
    this.compare(prepared, domain, scope)
    await this.confirm(prepared.recipients, scope)
    if (request) this.requireSignedBy(request, prepared.recipients)
    onStep(1)
    const artefact = signConsent(scope, { domain, nonce: prepared.nonce }, key, old)
    onStep(2)
    const recipients = prepared.recipients.map(({ id, publicKey }) => ({ id, publicKey }))
    const body = { message: artefact.message, signature: artefact.signature, artefact: sealArtefact(artefact, recipients) }
    const accepted = await this.client.post(old ? 'consents/amendments' : 'consents', body)
    await this.settled(accepted, (s) => onStep(STEP[s] + 1))
    return artefact.consent
  }

  /** What the gateway prepared must be what this device makes itself: no other ledger, no other scope, nobody else who may open it. */
  private compare(prepared: Prepared, domain: Hex, scope: Scope): void {
    const allowed = [scope.subject, ...this.openers(scope)]
    const stranger = prepared.recipients.find((r) => !allowed.includes(r.id))
    if (prepared.domain !== domain) throw new Problem(0, 'other_ledger', prepared.domain)
    if (!equal(fromHex(prepared.words), scopeWords(scope))) throw new Problem(0, 'other_scope', 'prepared words differ')
    if (stranger) throw new DoubtfulKey(stranger.id, 'stranger')
  }

  /** Throws {@link DoubtfulKey} unless every key is one's own, known to this device, or confirmed by a custodian that opens this consent. */
  private async confirm(recipients: Recipient[], scope: Scope): Promise<void> {
    const self = recipients.find((r) => r.id === scope.subject && r.publicKey !== toHex(this.own.key.publicKey))
    if (self) throw new DoubtfulKey(self.id, 'self')
    const parties = recipients.filter((r) => r.id !== scope.subject).map((r) => this.wanted(r, scope))
    const known = this.institutions!
    const openers = this.openers(scope)
    const vouchers = known.all().filter((k) => k.custodian && openers.includes(k.id))
    const answers = await Promise.all(vouchers.map((v) => this.ask(v, parties).catch(() => null)))
    const told = new Map(vouchers.map((v, i) => [v.id, answers[i]]).filter((entry): entry is [Hex, Said[]] => entry[1] !== null))
    requireConfirmed(parties, (party) => this.asKnown(party, known.get(party.id)), told)
  }

  private wanted({ id, publicKey }: Recipient, scope: Scope): Wanted {
    const { grantee } = scope
    if (id === grantee.id && grantee.type === 'practitioner')
      return { kind: 'practitioner', id, publicKey, ...(grantee.organisation && { organisation: grantee.organisation }) }
    const mustKeepRecords = scope.custodians === 'all' && id !== grantee.id && id !== grantee.organisation
    return { kind: 'organisation', id, publicKey, name: this.organisations.get(id)?.name ?? '', mustKeepRecords }
  }

  /** Null where the device cannot know the party. */
  private asKnown(party: Wanted, known: Known | undefined): boolean | null {
    const organisation = this.organisations.get(party.id)
    if (party.kind === 'practitioner' || !organisation || !known) return null
    return asKnown({ ...organisation, publicKey: party.publicKey }, known)
  }

  /** What the custodian's own ledger node says of these parties, under the key this device knows; null where that does not hold. */
  private async ask(voucher: Known, parties: Wanted[]): Promise<Said[] | null> {
    const [nonce, { ledger }] = [freshNonce(), await this.ledger()]
    const body = { nonce, parties: parties.map(({ kind, id }) => ({ kind, id })) }
    const call = { body, signer: this.own, timeoutMs: VOUCHER_MS }
    const answer = await this.gate(voucher.id).call<{ statement: string; signature: Hex }>('POST', 'keys', call)
    return heard(answer, voucher, ledger as Hex, nonce)
  }

  /** The doctor who asked is the one the consent will be sealed for. */
  private requireSignedBy(request: AccessRequest, recipients: Recipient[]): void {
    const key = recipients.find((r) => r.id === request.requester)?.publicKey
    if (!key || !signedBy(request, key)) throw new DoubtfulKey(request.requester, 'request')
  }

  async revoke(consent: Hex, key: KeyPair, onStep: Step): Promise<void> {
    const domain = await this.domain('Consent')
    const { nonce } = await this.client.get('consents/nonce')
    const message = consentRevoke(word(domain), word(this.subject), word(consent), nonce)
    onStep(1)
    const body = { message: toHex(message), signature: toHex(sign(message, key)) }
    await this.settled(await this.client.post('consents/revocations', body), (s) => onStep(STEP[s]))
  }

  /** What doctors asked; each with the requester's signature checked here. */
  async requests(): Promise<AccessRequest[]> {
    return (await this.client.get('access-requests')).items as AccessRequest[]
  }

  async request(id: string): Promise<AccessRequest & { authentic: boolean }> {
    const request = (await this.client.get('access-requests/{id}', { parts: { id: id as Hex } })) as AccessRequest
    return { ...request, authentic: await this.authentic(request) }
  }

  /** Takes a request scanned from a doctor's screen as one's own. */
  claim = (id: Hex, code: string): Promise<AccessRequest> =>
    this.client.post('access-requests/{id}/claim', { code }, { parts: { id } }) as Promise<AccessRequest>

  /** The document says what is shown and carries the signature of the key the ledger holds for the requester. */
  private async authentic(r: AccessRequest): Promise<boolean> {
    const { publicKey, valid } = await this.client.get('credentials/{practitioner}', { parts: { practitioner: r.requester } })
    if (!publicKey || !valid || !signedBy(r, publicKey as Hex)) return false
    const signed = JSON.parse(r.document) as Record<string, unknown>
    const shown = r as unknown as Record<string, unknown>
    return SIGNED_MEMBERS.every((name) => canonical(signed[name] as Json) === canonical(shown[name] as Json))
  }

  /** Grants, then answers the request with that consent. */
  async allow(request: AccessRequest, scope: Scope, key: KeyPair, onStep: Step): Promise<void> {
    const consent = await this.submit(scope, key, (done) => onStep(Math.min(done, 3)), undefined, request)
    await this.answer(request.id, consent, key)
    onStep(4)
  }

  refuse = (request: AccessRequest, key: KeyPair): Promise<void> => this.answer(request.id, null, key)

  private async answer(request: Hex, consent: Hex | null, key: KeyPair): Promise<void> {
    const time = now() + this.client.skew
    const document: Schemas['AnswerDocument'] = {
      kind: 'healthtrust/access-answer',
      version: 1,
      request,
      answer: consent ? 'permit' : 'refuse',
      consent,
      time,
    }
    const signature = toHex(sign(canonicalBytes(document), key))
    const body = { document, salt: toHex(randomBytes(32)), signature }
    const accepted = await this.client.post('access-requests/{id}/answer', body, { parts: { id: request } })
    await this.settled(accepted)
  }

  async readings(): Promise<Reading[]> {
    return (await this.client.get('receipts', { query: { subject: this.subject, limit: PAGE } })).items as Reading[]
  }

  async notices(): Promise<Notice[]> {
    return (await this.client.get('notices')).items
  }

  /** Readings that doctors opened without asking, because they said there was no time. */
  async emergencies(): Promise<EmergencyItem[]> {
    return (await this.client.get('emergencies')).items
  }

  markRead = (id: string): Promise<Notice> => this.client.post('notices/{id}/read', undefined, { parts: { id } })
  patientCode = (): Promise<{ code: string; expires: number }> => this.client.post('identities/codes', undefined)
}

const signedBy = (r: AccessRequest, publicKey: Hex): boolean => verify(utf8(r.document), fromHex(r.signature), fromHex(publicKey))

/** Id and code of an on-site request, from what a doctor's screen shows. Null for anything else. */
export function requestFromQr(scanned: string): { id: Hex; code: string } | null {
  const query = new URLSearchParams(scanned.slice(scanned.indexOf('?') + 1))
  const [id, code] = [query.get('id') ?? '', query.get('code') ?? '']
  return /^0x[0-9a-f]{64}$/.test(id) && /^[0-9a-f]{32}$/.test(code) ? { id: id as Hex, code } : null
}

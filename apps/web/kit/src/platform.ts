/** What every page asks of the gateway: who is who, log-in, waiting for the ledger. Endpoints as in docs/services.md. */
import { concat, fromHex, kindWord, toHex, utf8, word, type Hex } from './bytes'
import { Client, type Schemas, type Told } from './client'
import { sign, sm3, type KeyPair } from './crypto'
import { Http, Problem } from './http'
import type { Signer } from './httpsig'
import { domain } from './messages'
import type { Accepted, DocumentType, Operation, Organisation, Person } from './model'

export type SessionInfo = Told<
  Schemas['SessionOut'],
  { token?: string | null; subject?: Hex | null; practitioner?: Hex | null; organisation?: Hex | null }
>

/** The ledger refused what was signed, or did not take it: nothing changed. */
export class Refused extends Error {}

/** Words a key signs to log in (docs/formats.md, 10): made here, never signed as sent by a server. */
export const sessionMessage = (ledger: string, audience: string, keyid: string, challenge: string): Uint8Array =>
  concat(kindWord('healthtrust/session/v1'), word(ledger), sm3(utf8(audience)), sm3(utf8(keyid)), word(challenge))

export const LONG_WAIT_SECONDS = 10
const PINNED_LEDGER = 'healthtrust.ledger'

export class Platform {
  readonly client: Client
  readonly organisations = new Map<Hex, Organisation>()
  readonly people = new Map<Hex, Person>()
  readonly documentTypes = new Map<Hex, DocumentType>()
  signer: Signer | null = null
  session: SessionInfo | null = null

  constructor(origin: string) {
    this.client = new Client(origin)
  }

  /** Logs in with the key. The signature names this page's own origin, so that nobody in between can use it elsewhere. */
  async signIn(keyid: string, key: KeyPair): Promise<SessionInfo> {
    const c = await this.client.post('sessions/challenges', { keyid })
    const origin = new URL(this.client.base).origin
    if (c.audience.replace(/\/$/, '') !== origin) throw new Problem(421, 'other_address', c.audience)
    const signature = toHex(sign(sessionMessage(c.ledger, c.audience, keyid, c.challenge), key))
    this.session = (await this.client.post('sessions', { keyid, challenge: c.challenge, signature })) as SessionInfo
    this.client.token = this.session.token ?? null
    this.signer = { keyid, key }
    return this.session
  }

  async signOut(): Promise<void> {
    const had = this.client.token !== null
    if (had) await this.client.delete('sessions').catch(() => undefined)
    this.client.token = null
    this.session = null
    this.signer = null
  }

  /** Waits until a write is final. Throws {@link Refused} where the ledger said no; `onStep` is told of every state on the way. */
  settled = (accepted: Accepted | Schemas['Accepted'], onStep?: (state: Operation['state']) => void): Promise<Operation> =>
    this.untilFinal(
      accepted.operation as Operation,
      () => this.client.get('operations/{id}', { parts: { id: accepted.operation.id }, query: { wait: LONG_WAIT_SECONDS } }),
      onStep,
    )

  protected async untilFinal(
    first: Operation,
    look: () => Promise<Schemas['OperationOut']>,
    onStep?: (state: Operation['state']) => void,
  ): Promise<Operation> {
    let operation = first
    for (;;) {
      onStep?.(operation.state)
      if (operation.state === 'succeeded') return operation
      if (operation.state === 'failed') throw new Refused(operation.detail || operation.reason || 'failed')
      operation = (await look()) as Operation
    }
  }

  async loadOrganisations(): Promise<void> {
    const rows = (await this.client.get('organisations')) as Organisation[]
    for (const row of rows) this.organisations.set(row.id, row)
  }

  /** The ledger this device works with, remembered from the first visit: a gateway that later speaks of another gets nothing signed. */
  protected async ledger(): Promise<Schemas['LedgerOut']> {
    const found = await this.client.get('ledger')
    const pinned = localStorage.getItem(PINNED_LEDGER)
    if (pinned && pinned !== found.ledger) throw new Problem(0, 'other_ledger', found.ledger)
    localStorage.setItem(PINNED_LEDGER, found.ledger)
    return found
  }

  /** Signature domain of a contract, made here from the ledger's id. */
  async domain(contract: string): Promise<Hex> {
    const found = await this.ledger()
    return toHex(domain(word(found.ledger), fromHex(found.contracts[contract]!)))
  }

  /** A practitioner as their organisation and the ledger describe them; remembered. */
  async person(id: Hex): Promise<Person> {
    const known = this.people.get(id)
    if (known) return known
    const c = await this.client.get('credentials/{practitioner}', { parts: { practitioner: id } })
    const title = [c.department, c.title].filter(Boolean).join(' ')
    const person = { id, name: c.name ?? '', title, organisation: c.organisation, verified: c.valid }
    this.people.set(id, person)
    return person
  }

  async loadDocumentTypes(): Promise<void> {
    for (const { id, document } of await this.client.get('schemas'))
      this.documentTypes.set(id, { ...(document as unknown as Omit<DocumentType, 'id'>), id })
  }

  /** Tells of every new notice until `signal` aborts. */
  news = (onNotice: (kind: string) => void, signal: AbortSignal): Promise<void> =>
    this.client.stream('notices/stream', (event) => onNotice(event.event), signal)

  /** The gate of a custodian; it has no OpenAPI document, its answers are told in docs/services.md. */
  gate(custodian: Hex): Http {
    const base = this.organisations.get(custodian)?.gate
    if (!base) throw new Problem(0, 'no_gate', custodian)
    const gate = new Http(`${base.replace(/\/$/, '')}/gate/v1`)
    gate.skew = this.client.skew
    return gate
  }

  protected get own(): Signer {
    if (!this.signer) throw new Problem(401, 'locked', 'locked')
    return this.signer
  }
}

/**
 * Whose key is it? A page has no ledger node, and the gateway's word is not enough: a gateway in wrong hands could name a key of its own
 * and open what a resident seals. So the keys of institutions are remembered from the first visit, and whatever is not remembered must be
 * confirmed, under a remembered key, by a custodian's own ledger node (gate `POST /keys`, docs/formats.md §14). Only custodians that will
 * open this very consent are asked: what they could gain by lying they learn anyway.
 */
import { equal, fromHex, toHex, utf8, type Hex } from './bytes'
import { randomBytes, sm3, verify } from './crypto'
import type { Organisation } from './model'

export interface Party {
  kind: 'organisation' | 'practitioner'
  id: Hex
  publicKey: Hex
}

/** An institution as this device got to know it. */
export interface Known {
  id: Hex
  name: string
  publicKey: Hex
  custodian: boolean
}

/** What a custodian's own node says of a party, its signature checked. */
export interface Said {
  kind: Party['kind']
  id: Hex
  publicKey: Hex
  active: boolean
  custodian?: boolean
  nameDigest?: Hex
  organisation?: Hex
}

/**
 * `denied`: a custodian's ledger holds another key, or nobody of this name or standing. `changed`: not as this device knows it, and nobody
 * confirms the change. `silent`: nobody who could confirm answered. `stranger`: the consent does not name this party. `self`: not one's
 * own key. `request`: the request was not signed with this key.
 */
export type Doubt = 'denied' | 'changed' | 'silent' | 'stranger' | 'self' | 'request'

/** Nothing was signed: the key the gateway names for this party may not be theirs. */
export class DoubtfulKey extends Error {
  constructor(
    readonly party: Hex,
    readonly doubt: Doubt,
    /** Which institution's ledger contradicts. */
    readonly voucher: Hex | null = null,
  ) {
    super(`${doubt}: ${party}`)
  }
}

const SLOT = 'healthtrust.institutions'

/** The institutions this device knows. */
export class Acquaintances {
  private readonly slot: string

  /** One list a ledger. */
  constructor(ledger: Hex) {
    this.slot = `${SLOT}.${ledger}`
  }

  all(): Known[] {
    return JSON.parse(localStorage.getItem(this.slot) ?? '[]') as Known[]
  }

  get(id: Hex): Known | undefined {
    return this.all().find((known) => known.id === id)
  }

  /** Those of the first visit. Whoever joins later is confirmed each time, or met by number ({@link checkNumber}). */
  meet(organisations: Iterable<Organisation>): void {
    if (!this.all().length) this.save([...organisations].filter((o) => o.active && o.publicKey && o.name).map(knownFrom))
  }

  /** Knows the institution by the key named now. */
  renew(organisation: Organisation): void {
    this.save([...this.all().filter((known) => known.id !== organisation.id), knownFrom(organisation)])
  }

  private save(known: Known[]): void {
    localStorage.setItem(this.slot, JSON.stringify(known))
  }
}

const knownFrom = ({ id, name, publicKey, custodian }: Organisation): Known => ({
  id,
  name: name!,
  publicKey: publicKey!,
  custodian,
})

/** As the device knows it: same key, same name, and no new right to keep records. */
export const asKnown = (o: Organisation, known: Known | undefined): boolean =>
  known !== undefined && known.publicKey === o.publicKey && known.name === o.name && (known.custodian || !o.custodian)

/** Twelve digits of an institution's key, to compare with what it prints or says: decimal of SM3(id ‖ key), first 8 bytes, mod 10¹². */
export function checkNumber(id: Hex, publicKey: Hex): string {
  const first = sm3(utf8(`healthtrust/check-number/v1\0${id}\0${publicKey}`)).slice(0, 8)
  const digits = (BigInt(toHex(first)) % 10n ** 12n).toString().padStart(12, '0')
  return digits.match(/.{4}/g)!.join(' ')
}

export const freshNonce = (): Hex => toHex(randomBytes(32))

/** What a custodian's gate answered, if the custodian signed it, for this ledger and this question; null otherwise. */
export function heard(answer: { statement: string; signature: Hex }, from: Known, ledger: Hex, nonce: Hex): Said[] | null {
  if (!verify(utf8(answer.statement), fromHex(answer.signature), fromHex(from.publicKey))) return null
  const said = JSON.parse(answer.statement) as Record<string, unknown> & { keys: Said[] }
  const expected = { kind: 'healthtrust/key-statement', version: 1, ledger, custodian: from.id, nonce }
  return Object.entries(expected).every(([name, value]) => said[name] === value) ? said.keys : null
}

/** What a party must be for this consent. */
export interface Wanted extends Party {
  /** An institution's name as the page shows it. */
  name?: string
  /** It is to open the consent because it keeps records. */
  mustKeepRecords?: boolean
  /** A practitioner's employer as the page shows it. */
  organisation?: Hex
}

const digestOf = (name: string): Uint8Array => sm3(utf8(name.normalize('NFC')))

/** Whether what a custodian's ledger says is what the gateway said. */
export function confirms(said: Said, wanted: Wanted): boolean {
  if (!said.active || said.publicKey !== wanted.publicKey) return false
  if (wanted.kind === 'practitioner') return !wanted.organisation || said.organisation === wanted.organisation
  const named = wanted.name !== undefined && equal(fromHex(said.nameDigest!), digestOf(wanted.name))
  return named && (!wanted.mustKeepRecords || said.custodian === true)
}

/**
 * Throws {@link DoubtfulKey} unless every party is as known (`known`) or confirmed by a custodian that was heard, and nobody heard
 * contradicts. `told`: what each custodian that answered said.
 */
export function requireConfirmed(parties: Wanted[], known: (party: Wanted) => boolean | null, told: Map<Hex, Said[]>): void {
  for (const party of parties) {
    const words = [...told].flatMap(([voucher, said]) =>
      said.filter((s) => s.id === party.id && s.kind === party.kind).map((s) => ({ voucher, holds: confirms(s, party) })),
    )
    const against = words.find((w) => !w.holds)
    if (against) throw new DoubtfulKey(party.id, 'denied', against.voucher)
    const as = known(party)
    if (as !== true && !words.length) throw new DoubtfulKey(party.id, as === false ? 'changed' : 'silent')
  }
}

/** Break-glass: what two people of one organisation sign where nobody can ask the patient (docs/formats.md, Emergency). */
import { concat, equal, fromHex, toHex, utf8, word, type Bytes, type Hex } from './bytes'
import type { Schemas, Told } from './client'
import { hmacSm3, randomBytes, sign, type KeyPair } from './crypto'
import { Problem } from './http'
import { emergencyOpen } from './messages'
import { commitment, consentId, scopeWords, type Scope } from './scope'

/** What comes in the place of a sealed artefact; the gate and the verifier check it whole. */
export interface EmergencyArtefact {
  kind: 'healthtrust/emergency-artefact'
  version: 1
  scope: Scope
  consent: Hex
}

export type EmergencyState = Schemas['EmergencyOut']['state']
export type EmergencyItem = Schemas['EmergencyOut']
export type StaffEmergency = Told<
  Schemas['EmergencyForSigners'],
  { message: Hex | null; artefact: EmergencyArtefact | null; opening: Record<string, unknown> | null }
>

const DAY = 86_400
const EARLIER_SECONDS = 60

/** Everything of this person, for one reader; the ledger's minutes end it long before the period does. */
export const emergencyScope = (subject: Hex, reader: Hex, organisation: Hex, now: number): Scope => ({
  kind: 'healthtrust/consent-scope',
  version: 1,
  subject,
  grantee: { type: 'practitioner', id: reader, organisation },
  purposes: ['ETREAT'],
  categories: 'all',
  custodians: 'all',
  records: 'all',
  fields: 'all',
  period: { start: now - EARLIER_SECONDS, end: now + DAY + EARLIER_SECONDS },
  uses: 0,
  onwardSharing: false,
  mode: 'remote',
})

/** Salt of the commitment: whoever opens it shows that the reason was this one. */
const reasonSalt = (seed: Uint8Array, reason: string): Bytes =>
  hmacSm3(seed, concat(utf8('healthtrust/emergency-reason/v1\0'), utf8(reason)))

/** What is sent to begin one, signed by the one who will read. */
export function beginEmergency(scope: Scope, reason: string, minutes: number, domain: Hex, key: KeyPair): Schemas['EmergencyIn'] {
  const seed = randomBytes(32)
  const sealed = commitment(reasonSalt(seed, reason), scopeWords(scope))
  const message = emergencyOpen(word(domain), word(scope.grantee.organisation!), consentId(seed, 0), sealed, minutes)
  return { scope: { ...scope }, seed: toHex(seed), reason, minutes, signature: toHex(sign(message, key)) }
}

/** The second signature, over words that open an emergency of one's own organisation for these minutes, and nothing else. */
export function confirmEmergency(e: StaffEmergency, domain: Hex, key: KeyPair): Hex {
  const message = fromHex(e.message!)
  const made = emergencyOpen(word(domain), word(e.organisation), word(e.id), message.slice(128, 160), e.minutes)
  if (!equal(message, made)) throw new Problem(0, 'other_words', 'the words to sign are of something else')
  return toHex(sign(message, key))
}

/** Consent artefact: build, sign, seal to its recipients, open (docs/formats.md, 5). */
import { concat, equal, fromBase64, fromHex, text, toBase64, toHex, utf8, word, type Bytes, type Hex } from './bytes'
import { canonicalBytes } from './canonical'
import { parseJson, signedConsent } from './check'
import { randomBytes, sign, sm2Decrypt, sm2Encrypt, sm4Open, sm4Seal, verify, type KeyPair } from './crypto'
import { consentAmend, consentGrant } from './messages'
import { commitment, consentId, packed, scopeWords, type Scope } from './scope'

export interface Artefact {
  kind: 'healthtrust/consent-artefact'
  version: 1
  scope: Scope
  salt: Hex
  seed: Hex
  consent: Hex
  message: Hex
  signature: Hex
  publicKey: Hex
}

export interface SealedArtefact {
  kind: 'healthtrust/sealed-artefact'
  version: 1
  consent: Hex
  iv: string
  ciphertext: string
  recipients: { id: Hex; key: string }[]
}

export interface Recipient {
  id: Hex
  publicKey: Hex
}

export interface Terms {
  /** Domain of the Consent contract. */
  domain: Hex
  /** What the contract now holds for this subject. */
  nonce: number
}

/** A signed grant, or with `replaces` an amendment of that consent. Seed and salt are fresh and made here. */
export function signConsent(scope: Scope, terms: Terms, key: KeyPair, replaces?: Hex): Artefact {
  const [seed, salt] = [randomBytes(32), randomBytes(32)]
  const consent = consentId(seed, scope.uses)
  const parts = [
    word(terms.domain),
    word(scope.subject),
    consent,
    commitment(salt, scopeWords(scope)),
    packed(scope, terms.nonce),
  ] as const
  const message = replaces ? consentAmend(...parts, word(replaces)) : consentGrant(...parts)
  const signed = { message: toHex(message), signature: toHex(sign(message, key)), publicKey: toHex(key.publicKey) }
  return {
    kind: 'healthtrust/consent-artefact',
    version: 1,
    scope,
    salt: toHex(salt),
    seed: toHex(seed),
    consent: toHex(consent),
    ...signed,
  }
}

/** Encrypts for exactly these recipients; the key is used once and forgotten. */
export function sealArtefact(artefact: Artefact, recipients: Recipient[]): SealedArtefact {
  const [key, iv] = [randomBytes(16), randomBytes(12)]
  const ciphertext = sm4Seal(key, iv, canonicalBytes(artefact), utf8(artefact.consent))
  const wrapped = recipients.map((r) => ({ id: r.id, key: toBase64(sm2Encrypt(key, fromHex(r.publicKey))) }))
  const sealed = { consent: artefact.consent, iv: toBase64(iv), ciphertext: toBase64(ciphertext), recipients: wrapped }
  return { kind: 'healthtrust/sealed-artefact', version: 1, ...sealed }
}

/** Opens as the recipient `id`. Throws when not addressed to it, changed on the way, or not what it says it is. */
export function openArtefact(sealed: SealedArtefact, id: Hex, privateKey: Uint8Array): Artefact {
  const entry = sealed.recipients.find((r) => r.id === id)
  if (!entry) throw new Error('not addressed to this key')
  const key = sm2Decrypt(fromBase64(entry.key), privateKey)
  const artefact = JSON.parse(
    text(sm4Open(key, fromBase64(sealed.iv), fromBase64(sealed.ciphertext), utf8(sealed.consent))),
  ) as Artefact
  const signed = signedConsent(parseJson(JSON.stringify(artefact)))
  if (!signed || toHex(signed) !== sealed.consent) throw new Error('the artefact does not hold, or is of another consent')
  return artefact
}

export type { Bytes }

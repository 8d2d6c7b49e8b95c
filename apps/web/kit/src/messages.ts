/** The word messages that residents and registrars sign (docs/formats.md, 4). */
import { concat, fromHex, kindWord, leftPadded, uint, type Bytes } from './bytes'
import { sm3 } from './crypto'

/** SM3(kind ‖ ledger id ‖ contract word). `contract` is an EVM address or, for Fabric, a 32-byte word. */
export const domain = (ledgerId: Uint8Array, contract: Uint8Array): Bytes =>
  sm3(concat(kindWord('healthtrust/domain/v1'), ledgerId, leftPadded(contract)))

const message = (name: string, ...words: Uint8Array[]): Bytes => concat(kindWord(`healthtrust/${name}/v1`), ...words)

export const keyBind = (dom: Uint8Array, subject: Uint8Array, publicKey: Uint8Array): Bytes =>
  message('key-bind', dom, subject, publicKey)
export const keyAttest = (dom: Uint8Array, subject: Uint8Array, publicKey: Uint8Array): Bytes =>
  message('key-attest', dom, subject, publicKey)
export const keyRotate = (dom: Uint8Array, subject: Uint8Array, publicKey: Uint8Array, nonce: number): Bytes =>
  message('key-rotate', dom, subject, publicKey, uint(nonce, 32))
/** Stops the recovery that would put `publicKey` in the place of the key that signs. */
export const keyVeto = (dom: Uint8Array, subject: Uint8Array, publicKey: Uint8Array, nonce: number): Bytes =>
  message('key-veto', dom, subject, publicKey, uint(nonce, 32))

export const consentGrant = (
  dom: Uint8Array,
  subject: Uint8Array,
  consent: Uint8Array,
  commitment: Uint8Array,
  packed: Uint8Array,
): Bytes => message('consent-grant', dom, subject, consent, commitment, packed)

export const consentAmend = (
  dom: Uint8Array,
  subject: Uint8Array,
  consent: Uint8Array,
  commitment: Uint8Array,
  packed: Uint8Array,
  old: Uint8Array,
): Bytes => message('consent-amend', dom, subject, consent, commitment, packed, old)

/** A revocation's packed word holds only the nonce. */
export const consentRevoke = (dom: Uint8Array, subject: Uint8Array, consent: Uint8Array, nonce: number): Bytes =>
  message('consent-revoke', dom, subject, consent, uint(nonce, 32))

/** Two people of the organisation open what is behind the commitment for some minutes. */
export const emergencyOpen = (
  dom: Uint8Array,
  organisation: Uint8Array,
  id: Uint8Array,
  commitment: Uint8Array,
  minutes: number,
): Bytes => message('emergency-open', dom, organisation, id, commitment, uint(minutes, 32))

export const contractWord = (address: string): Bytes => leftPadded(fromHex(address))

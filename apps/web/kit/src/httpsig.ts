/** Signed requests: HTTP Message Signatures, RFC 9421, algorithm `sm2-sm3` (docs/formats.md, 8). */
import { toBase64, toHex, utf8, type Bytes } from './bytes'
import { randomBytes, sign, sm3, type KeyPair } from './crypto'

export interface Signer {
  /** `subject:0x…`, `practitioner:0x…` or `organisation:0x…`. */
  keyid: string
  key: KeyPair
}

export interface Validity {
  created: number
  expires: number
  nonce: string
}

const LIFE_SECONDS = 120
export const contentDigest = (body: Uint8Array): string => `sm3=:${toBase64(sm3(body))}:`

/** `("@method" …);created=…` – the value of Signature-Input after `sig1=`. */
export function signatureParams(keyid: string, validity: Validity, hasBody: boolean): string {
  const covered = ['"@method"', '"@target-uri"', ...(hasBody ? ['"content-digest"'] : [])].join(' ')
  return `(${covered});created=${validity.created};expires=${validity.expires};nonce="${validity.nonce}";keyid="${keyid}";alg="sm2-sm3"`
}

/** The signature base (RFC 9421, 2.5). */
export function signatureBase(method: string, uri: string, digest: string | null, params: string): string {
  const lines = [`"@method": ${method.toUpperCase()}`, `"@target-uri": ${uri}`]
  if (digest) lines.push(`"content-digest": ${digest}`)
  return [...lines, `"@signature-params": ${params}`].join('\n')
}

/** Fresh validity: now for two minutes, nonce of 16 random bytes. `skew` = server time − own time, seconds. */
export function freshValidity(skew = 0): Validity {
  const created = Math.floor(Date.now() / 1000) + skew
  return { created, expires: created + LIFE_SECONDS, nonce: toHex(randomBytes(16)).slice(2) }
}

/** The headers to add to a request. */
export function signedHeaders(
  method: string,
  uri: string,
  body: Bytes | null,
  signer: Signer,
  validity = freshValidity(),
): Record<string, string> {
  const digest = body ? contentDigest(body) : null
  const params = signatureParams(signer.keyid, validity, body !== null)
  const signature = sign(utf8(signatureBase(method, uri, digest, params)), signer.key)
  const headers: Record<string, string> = { 'Signature-Input': `sig1=${params}`, Signature: `sig1=:${toBase64(signature)}:` }
  if (digest) headers['Content-Digest'] = digest
  return headers
}

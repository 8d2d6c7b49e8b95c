/** X.509 certificates with P-256 keys (RFC 5280), and signatures by them, as the nodes of a Fabric network have them. */
import { p256 } from '@noble/curves/nist'
import { sha256 } from '@noble/hashes/sha2'
import { concat, equal, fromBase64, text, toBigInt, type Bytes } from '../bytes'
import { bytesField, message } from './protobuf'
import { Malformed } from './read'

const [SEQUENCE, SET, INTEGER, BITS, OID, VERSION, UTC_TIME] = [0x30, 0x31, 0x02, 0x03, 0x06, 0xa0, 0x17]
const ECDSA_SHA256 = Uint8Array.of(6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2)
const EC_KEY = Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1)
const ON_P256 = Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7)
const UNIT = Uint8Array.of(0x55, 4, 11)
const POINT = 66

interface Item {
  tag: number
  content: Bytes
  whole: Bytes
}

/** `period`: first and last second of validity, as digits YYYYMMDDhhmmss. */
export interface Certificate {
  body: Bytes
  issuer: Bytes
  subject: Bytes
  units: string[]
  period: [string, string]
  key: Bytes
  signature: Bytes
}

/** A signature that holds, by whoever the certificate names. */
export interface Signed {
  msp: string
  certificate: Certificate
}

function items(data: Bytes): Item[] {
  const found: Item[] = []
  for (let at = 0; at < data.length;) {
    const start = at
    const short = data[at + 1]
    if (short === undefined) throw new Malformed('a DER value ends early')
    at += 2
    let size = BigInt(short)
    if (short >= 0x80) {
      size = toBigInt(data.slice(at, at + short - 0x80))
      at += short - 0x80
    }
    if (size > BigInt(Math.max(0, data.length - at))) throw new Malformed('a DER value ends early')
    const end = at + Number(size)
    found.push({ tag: data[start]!, content: data.slice(at, end), whole: data.slice(start, end) })
    at = end
  }
  return found
}

/** Contents of exactly these values in a row. */
function der(data: Bytes, ...tags: number[]): Bytes[] {
  const found = items(data)
  if (found.length !== tags.length || found.some((item, i) => item.tag !== tags[i]))
    throw new Malformed('a DER value of another form')
  return found.map((item) => item.content)
}

/** Whether the DER signature (ECDSA with SHA-256) holds for the message under x‖y. */
export function p256Verify(key: Bytes, said: Bytes, signature: Bytes): boolean {
  const [r, s] = der(der(signature, SEQUENCE)[0]!, INTEGER, INTEGER).map(toBigInt)
  try {
    const given = new p256.Signature(r!, s!).toCompactRawBytes()
    return p256.verify(given, sha256(said), concat(Uint8Array.of(4), key), { lowS: false, prehash: false })
  } catch {
    return false
  }
}

export function readCertificate(data: Bytes): Certificate {
  const whole = der(data, SEQUENCE)[0]!
  const [, algorithm, signature] = der(whole, SEQUENCE, SEQUENCE, BITS)
  const body = items(whole)[0]!.whole
  if (!equal(algorithm!, ECDSA_SHA256)) throw new Malformed('a certificate signed otherwise than by ECDSA with SHA-256')
  const fields = items(der(body, SEQUENCE)[0]!).filter((item) => item.tag !== VERSION)
  const [issuer, validity, subject, key] = [2, 3, 4, 5].map((i) => fields[i])
  if (!issuer || !validity || !subject || !key) throw new Malformed('not a certificate')
  const [kind, point] = der(key.content, SEQUENCE, BITS)
  const [algorithmOfKey, curve] = der(kind!, OID, OID)
  const onCurve = equal(algorithmOfKey!, EC_KEY) && equal(curve!, ON_P256)
  if (!onCurve || point!.length !== POINT || point![0] !== 0 || point![1] !== 4)
    throw new Malformed('a certificate of another kind of key')
  const [first, last, more] = items(validity.content).map(digits)
  if (first === undefined || last === undefined || more !== undefined) throw new Malformed('not the validity of a certificate')
  return {
    body,
    issuer: issuer.whole,
    subject: subject.whole,
    units: unitsOf(subject.content),
    period: [first, last],
    key: point!.slice(2),
    signature: signature!.slice(1),
  }
}

/** Organisational units of a name. */
function unitsOf(name: Bytes): string[] {
  return items(name).flatMap(({ tag, content }) => {
    if (tag !== SET) throw new Malformed('not a name')
    const [kind, value] = items(der(content, SEQUENCE)[0]!)
    if (!kind) throw new Malformed('not a name')
    if (!equal(kind.content, UNIT)) return []
    if (!value) throw new Malformed('not a name')
    return [text(value.content)]
  })
}

/** A UTCTime or GeneralizedTime as YYYYMMDDhhmmss. */
function digits({ tag, content }: Item): string {
  let shown = text(content).replace(/Z$/, '')
  if (tag === UTC_TIME) shown = (shown >= '50' ? '19' : '20') + shown
  if (!/^[0-9]{14}$/.test(shown)) throw new Malformed('not a time of a certificate')
  return shown
}

/** Whether one of the roots signed it. */
export const issuedBy = (certificate: Certificate, roots: Certificate[]): boolean =>
  roots.some((root) => equal(root.subject, certificate.issuer) && p256Verify(root.key, certificate.body, certificate.signature))

/** Who signed, from Fabric's SerializedIdentity. Throws Malformed if the signature does not hold. */
export function signedBy(identity: Bytes, said: Bytes, signature: Bytes): Signed {
  const fields = message(identity)
  const lines = text(bytesField(fields, 2)).trim().split(/\r?\n/)
  if (lines[0] !== '-----BEGIN CERTIFICATE-----' || lines.at(-1) !== '-----END CERTIFICATE-----')
    throw new Malformed('not a certificate')
  const certificate = readCertificate(fromBase64(lines.slice(1, -1).join('')))
  if (!p256Verify(certificate.key, said, signature)) throw new Malformed('a signature does not hold')
  return { msp: text(bytesField(fields, 1)), certificate }
}

/**
 * SM2, SM3 and SM4-GCM (GB/T 32918, 32905, 32907; GCM as in NIST SP 800-38D) over sm-crypto-v2, with the checks it leaves to callers:
 * ranges of r and s, refused decryption as an exception, and a tag that is always required.
 */
import { sm2 as lib2, sm3 as lib3, sm4 as lib4 } from 'sm-crypto-v2'
import { bareHex, concat, fromHex, toBigInt, uint, type Bytes } from './bytes'

export const SM2_USER_ID = '1234567812345678'
export const SM2_ORDER = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n

export interface KeyPair {
  /** 32 bytes; leaves this device only inside a passphrase-encrypted key file. */
  privateKey: Bytes
  /** x‖y, 64 bytes. */
  publicKey: Bytes
}

export const sm3 = (data: Uint8Array): Bytes => fromHex(lib3(data))
export const hmacSm3 = (key: Uint8Array, data: Uint8Array): Bytes => fromHex(lib3(data, { key }))
export const randomBytes = (size: number): Bytes => crypto.getRandomValues(new Uint8Array(size))

/** SM3 applied `times` times. */
export function sm3Times(data: Uint8Array, times: number): Bytes {
  let out = Uint8Array.from(data)
  for (let i = 0; i < times; i++) out = sm3(out)
  return out
}

export function generateKeyPair(): KeyPair {
  for (;;) {
    const privateKey = randomBytes(32)
    const d = toBigInt(privateKey)
    if (d >= 1n && d <= SM2_ORDER - 2n) return { privateKey, publicKey: publicKeyOf(privateKey) }
  }
}

/** x‖y of a private key. Throws RangeError outside [1, n − 2]. */
export function publicKeyOf(privateKey: Uint8Array): Bytes {
  const d = toBigInt(privateKey)
  if (privateKey.length !== 32 || d < 1n || d > SM2_ORDER - 2n) throw new RangeError('not an SM2 private key')
  return fromHex(lib2.getPublicKeyFromPrivateKey(bareHex(privateKey))).slice(1)
}

const P = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn
const A = P - 3n
const B = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n

function power(base: bigint, exponent: bigint): bigint {
  let out = 1n
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) out = (out * b) % P
  return out
}

/** x‖y from x‖y, 04‖x‖y or a compressed point. Throws RangeError for anything that is no point of the curve. */
export function normalisePublicKey(key: Uint8Array): Bytes {
  if (key.length === 33 && (key[0] === 2 || key[0] === 3)) return decompress(key)
  const xy = key.length === 65 && key[0] === 4 ? key.slice(1) : Uint8Array.from(key)
  const [x, y] = [toBigInt(xy.slice(0, 32)), toBigInt(xy.slice(32))]
  if (xy.length !== 64 || x >= P || y >= P || (y * y - (x * x * x + A * x + B)) % P !== 0n)
    throw new RangeError('not a point of the SM2 curve')
  return Uint8Array.from(xy)
}

function decompress(key: Uint8Array): Bytes {
  const x = toBigInt(key.slice(1))
  const root = power((((x * x * x + A * x + B) % P) + P) % P, (P + 1n) / 4n)
  const y = (root & 1n) === BigInt(key[0]! & 1) ? root : P - root
  return normalisePublicKey(concat(uint(x, 32), uint(y, 32)))
}

function derInteger(der: Uint8Array, at: number): [bigint, number] {
  const size = der[at + 1] ?? 0
  const body = der.slice(at + 2, at + 2 + size)
  const bad =
    der[at] !== 2 ||
    size < 1 ||
    size > 33 ||
    body.length !== size ||
    body[0]! & 0x80 ||
    (size > 1 && body[0] === 0 && !(body[1]! & 0x80))
  if (bad) throw new RangeError('not a DER signature')
  return [toBigInt(body), at + 2 + size]
}

/** r‖s from r‖s or strict DER. Throws RangeError for any other shape. */
export function normaliseSignature(signature: Uint8Array): Bytes {
  if (signature.length === 64) return Uint8Array.from(signature)
  if (signature[0] !== 0x30 || signature[1] !== signature.length - 2) throw new RangeError('not a signature')
  const [r, next] = derInteger(signature, 2)
  const [s, end] = derInteger(signature, next)
  if (end !== signature.length) throw new RangeError('bytes after a DER signature')
  return concat(uint(r, 32), uint(s, 32))
}

/** Z of a public key (GB/T 32918.2, 5.5). */
export const sm2Z = (publicKey: Uint8Array, userId = SM2_USER_ID): Bytes =>
  Uint8Array.from(lib2.getZ(bareHex(normalisePublicKey(publicKey)), userId))

/** e = SM3(Z ‖ message), the digest that SM2 signs. */
export const sm2Digest = (message: Uint8Array, publicKey: Uint8Array): Bytes => sm3(concat(sm2Z(publicKey), message))

/** r‖s, 64 bytes, over SM3(Z ‖ message). */
export function sign(message: Uint8Array, key: KeyPair): Bytes {
  const hex = lib2.doSignature(Uint8Array.from(message), bareHex(key.privateKey), {
    hash: true,
    publicKey: '04' + bareHex(key.publicKey),
    userId: SM2_USER_ID,
  })
  return fromHex(hex)
}

/** True only for a valid signature; malformed keys and signatures are false, never an exception. */
export function verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array, userId = SM2_USER_ID): boolean {
  try {
    const rs = normaliseSignature(signature)
    const inRange = [rs.slice(0, 32), rs.slice(32)].map(toBigInt).every((v) => v >= 1n && v < SM2_ORDER)
    const key = '04' + bareHex(normalisePublicKey(publicKey))
    return inRange && lib2.doVerifySignature(Uint8Array.from(message), bareHex(rs), key, { hash: true, userId })
  } catch {
    return false
  }
}

/** SM2 public-key encryption, C1‖C3‖C2 with C1 as 04‖x‖y (GB/T 32918.4). */
export const sm2Encrypt = (message: Uint8Array, publicKey: Uint8Array): Bytes =>
  fromHex('04' + lib2.doEncrypt(Uint8Array.from(message), '04' + bareHex(normalisePublicKey(publicKey)), 1))

/** The inverse of {@link sm2Encrypt}. Throws if the check value C3 does not hold. */
export function sm2Decrypt(ciphertext: Uint8Array, privateKey: Uint8Array): Bytes {
  if (ciphertext.length <= 97 || ciphertext[0] !== 4) throw new RangeError('not an SM2 ciphertext')
  normalisePublicKey(ciphertext.slice(0, 65))
  const out = lib2.doDecrypt(bareHex(ciphertext.slice(1)), bareHex(privateKey), 1, { output: 'array' })
  if (out.length !== ciphertext.length - 97) throw new Error('SM2 decryption refused: wrong key or changed bytes')
  return Uint8Array.from(out)
}

const NOTHING = new Uint8Array(0)

/** SM4-GCM: ciphertext with the 16-byte tag appended. */
export function sm4Seal(key: Uint8Array, iv: Uint8Array, plain: Uint8Array, aad: Uint8Array = NOTHING): Bytes {
  const { output, tag } = lib4.sm4(plain, key, 1, { mode: 'gcm', iv, associatedData: aad, output: 'array', outputTag: true }) as {
    output: Uint8Array
    tag: Uint8Array
  }
  return concat(output, tag)
}

/** The inverse of {@link sm4Seal}. Throws if key, iv, associated data or any byte differs. */
export function sm4Open(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, aad: Uint8Array = NOTHING): Bytes {
  if (key.length !== 16 || sealed.length < 16) throw new RangeError('not an SM4-GCM ciphertext')
  const [body, tag] = [sealed.slice(0, -16), sealed.slice(-16)]
  return Uint8Array.from(lib4.sm4(body, key, 0, { mode: 'gcm', iv, associatedData: aad, output: 'array', tag }) as Uint8Array)
}

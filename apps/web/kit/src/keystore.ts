/**
 * The signing key on this device: made here, kept encrypted under a passphrase, never sent, never logged (docs/formats.md, 11).
 * The key file is both what is stored and what a backup contains.
 */
import { scryptAsync } from '@noble/hashes/scrypt'
import { equal, fromBase64, fromHex, toBase64, toHex, utf8, type Bytes, type Hex } from './bytes'
import { generateKeyPair, publicKeyOf, randomBytes, sm4Open, sm4Seal, type KeyPair } from './crypto'

export interface KeyFile {
  kind: 'healthtrust/key-file'
  version: 1
  /** `subject:0x…`, `practitioner:0x…` or `organisation:0x…`. */
  keyid: string
  /** What the holder is called on this device; not part of any proof. */
  name: string
  publicKey: Hex
  kdf: { name: 'scrypt'; n: number; r: number; p: number; salt: string }
  iv: string
  ciphertext: string
}

export type Progress = (share: number) => void

/** 64 MiB and two passes: OWASP's scrypt level, in the shape that fits a phone. */
export const KDF = { name: 'scrypt', n: 2 ** 16, r: 8, p: 2 } as const
const [MAX_N, MAX_R, MAX_P] = [2 ** 20, 16, 8]
export const MIN_PASSPHRASE = 8

export class WrongPassphrase extends Error {}
export class NotAKeyFile extends Error {}

const aad = (file: Pick<KeyFile, 'keyid' | 'publicKey'>): Bytes =>
  utf8(`healthtrust/key-file/v1\0${file.keyid}\0${file.publicKey}`)

async function derive(passphrase: string, kdf: KeyFile['kdf'], onProgress?: Progress): Promise<Uint8Array> {
  const { n, r, p } = kdf
  const options = { N: n, r, p, dkLen: 16, maxmem: 2 ** 31, asyncTick: 16, ...(onProgress && { onProgress }) }
  return scryptAsync(utf8(passphrase.normalize('NFC')), fromBase64(kdf.salt), options)
}

/** Encrypts a key under a passphrase (≥ 8 characters; RangeError otherwise). */
export async function lockKey(
  key: KeyPair,
  keyid: string,
  name: string,
  passphrase: string,
  onProgress?: Progress,
  cost = KDF.n,
): Promise<KeyFile> {
  if ([...passphrase].length < MIN_PASSPHRASE) throw new RangeError(`a passphrase has at least ${MIN_PASSPHRASE} characters`)
  const kdf = { ...KDF, n: cost, salt: toBase64(randomBytes(16)) }
  const iv = randomBytes(12)
  const head = { keyid, publicKey: toHex(key.publicKey) }
  const secret = await derive(passphrase, kdf, onProgress)
  const ciphertext = toBase64(sm4Seal(secret, iv, key.privateKey, aad(head)))
  secret.fill(0)
  return { kind: 'healthtrust/key-file', version: 1, name, ...head, kdf, iv: toBase64(iv), ciphertext }
}

/** Throws WrongPassphrase, or NotAKeyFile where the file is not whole. */
export async function unlockKey(file: KeyFile, passphrase: string, onProgress?: Progress): Promise<KeyPair> {
  const secret = await derive(passphrase, file.kdf, onProgress)
  let privateKey: Bytes
  try {
    privateKey = sm4Open(secret, fromBase64(file.iv), fromBase64(file.ciphertext), aad(file))
  } catch {
    throw new WrongPassphrase('wrong passphrase')
  } finally {
    secret.fill(0)
  }
  const publicKey = publicKeyOf(privateKey)
  if (!equal(publicKey, fromHex(file.publicKey))) throw new NotAKeyFile('the key file names another public key')
  return { privateKey, publicKey }
}

/** A key file from text. Throws NotAKeyFile. The cost is bounded, so that a hostile file cannot hang the device. */
export function parseKeyFile(json: string): KeyFile {
  let file: KeyFile
  try {
    file = JSON.parse(json) as KeyFile
  } catch {
    throw new NotAKeyFile('not JSON')
  }
  const kdf = file?.kdf
  const bounded =
    kdf?.name === 'scrypt' &&
    kdf.n >= 2 ** 14 &&
    kdf.n <= MAX_N &&
    (kdf.n & (kdf.n - 1)) === 0 &&
    kdf.r <= MAX_R &&
    kdf.p <= MAX_P
  const whole = [file?.keyid, file?.name, file?.publicKey, file?.iv, file?.ciphertext, kdf?.salt].every(
    (v) => typeof v === 'string',
  )
  if (file?.kind !== 'healthtrust/key-file' || file.version !== 1 || !bounded || !whole) throw new NotAKeyFile('not a key file')
  return file
}

export const newKey = generateKeyPair

/** What a backup is called when saved. */
export const keyFileName = (file: KeyFile): string => `healthtrust-${file.name || 'key'}-${file.publicKey.slice(2, 8)}.json`

/** Where the one key file of this app lies on this device. */
export class KeyStore {
  constructor(private readonly slot: string) {}

  load(): KeyFile | null {
    const json = localStorage.getItem(this.slot)
    return json ? parseKeyFile(json) : null
  }

  save(file: KeyFile): void {
    localStorage.setItem(this.slot, JSON.stringify(file))
  }

  remove(): void {
    localStorage.removeItem(this.slot)
  }
}

/** Hands a file to the person, without any server. */
export function download(name: string, content: string, type = 'application/json'): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([content], { type }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** An unlocked key in memory, forgotten after `idleMs` without a call of {@link touch}. */
export class Session {
  private key: KeyPair | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly idleMs: number,
    private readonly onLock: () => void,
  ) {}

  open(key: KeyPair): void {
    this.key = key
    this.touch()
  }

  touch(): void {
    if (!this.key) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.lock(), this.idleMs)
  }

  lock(): void {
    clearTimeout(this.timer)
    this.key?.privateKey.fill(0)
    if (this.key) {
      this.key = null
      this.onLock()
    }
  }

  /** The key, or null when locked. */
  get current(): KeyPair | null {
    return this.key
  }
}

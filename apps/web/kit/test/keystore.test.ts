import { describe, expect, it } from 'vitest'
import { bareHex } from '../src/bytes'
import { generateKeyPair } from '../src/crypto'
import { lockKey, NotAKeyFile, parseKeyFile, Session, unlockKey, WrongPassphrase } from '../src/keystore'

const FAST = 2 ** 14
const key = generateKeyPair()
const file = await lockKey(key, 'subject:0x01', '王秀英', '八个汉字也可以的', undefined, FAST)

describe('key file', () => {
  it('opens with its passphrase, typed in any Unicode form', async () => {
    const accented = await lockKey(key, 'subject:0x01', '', 'caf\u00e9-caf\u00e9', undefined, FAST)
    expect((await unlockKey(accented, 'cafe\u0301-cafe\u0301')).privateKey).toEqual(key.privateKey)
  })

  it('refuses a wrong passphrase and a changed owner', async () => {
    await expect(unlockKey(file, '八个汉字也可以吗')).rejects.toBeInstanceOf(WrongPassphrase)
    await expect(unlockKey({ ...file, keyid: 'subject:0x02' }, '八个汉字也可以的')).rejects.toBeInstanceOf(WrongPassphrase)
  })

  it('does not contain the private key and survives a backup', async () => {
    const json = JSON.stringify(file)
    expect(json).not.toContain(bareHex(key.privateKey))
    expect((await unlockKey(parseKeyFile(json), '八个汉字也可以的')).publicKey).toEqual(key.publicKey)
  })

  it('refuses short passphrases and files that would hang or weaken the device', async () => {
    await expect(lockKey(key, 'subject:0x01', '', '1234567')).rejects.toThrow(RangeError)
    for (const n of [2 ** 30, 1024, 3])
      expect(() => parseKeyFile(JSON.stringify({ ...file, kdf: { ...file.kdf, n } }))).toThrow(NotAKeyFile)
    expect(() => parseKeyFile('{}')).toThrow(NotAKeyFile)
    expect(() => parseKeyFile('not json')).toThrow(NotAKeyFile)
  })

  it('is wiped from memory when the session locks', () => {
    let locked = 0
    const session = new Session(60_000, () => locked++)
    const copy = { privateKey: key.privateKey.slice(), publicKey: key.publicKey }
    session.open(copy)
    session.lock()
    session.lock()
    expect(locked).toBe(1)
    expect(session.current).toBeNull()
    expect(copy.privateKey.every((b) => b === 0)).toBe(true)
  })
})

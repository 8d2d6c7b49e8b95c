import { describe, expect, it } from 'vitest'
import { bareHex, concat, fromHex, toHex, utf8 } from '../src/bytes'
import * as c from '../src/crypto'

describe('published examples', () => {
  it('SM3 of "abc" (GB/T 32905, A.1)', () => {
    expect(bareHex(c.sm3(utf8('abc')))).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0')
  })

  it('SM4-GCM (RFC 8998, A.1)', () => {
    const key = fromHex('0123456789abcdeffedcba9876543210')
    const iv = fromHex('00001234567800000000abcd')
    const aad = fromHex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
    const plain = concat(...['aa', 'bb', 'cc', 'dd', 'ee', 'ff', 'ee', 'aa'].map((b) => fromHex(b.repeat(8))))
    const sealed = c.sm4Seal(key, iv, plain, aad)
    expect(bareHex(sealed)).toBe(
      '17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec',
    )
    expect(c.sm4Open(key, iv, sealed, aad)).toEqual(plain)
    for (const at of [0, 70, sealed.length - 1]) {
      const bad = Uint8Array.from(sealed, (b, i) => (i === at ? b ^ 1 : b))
      expect(() => c.sm4Open(key, iv, bad, aad)).toThrow()
    }
    expect(() => c.sm4Open(key, iv, sealed, utf8('other'))).toThrow()
    expect(() => c.sm4Open(key, iv, sealed.slice(0, 15), aad)).toThrow()
  })
})

describe('SM2', () => {
  const key = c.generateKeyPair()
  const message = utf8('允许 静安区中心医院 查看')
  const signature = c.sign(message, key)

  it('refuses every flipped bit of message, key and signature', () => {
    expect(c.verify(message, signature, key.publicKey)).toBe(true)
    for (let bit = 0; bit < 512; bit += 37) {
      const flip = (b: Uint8Array) => Uint8Array.from(b, (v, i) => (i === bit >> 3 ? v ^ (1 << (bit & 7)) : v))
      expect(c.verify(message, flip(signature), key.publicKey)).toBe(false)
      expect(c.verify(message, signature, flip(key.publicKey))).toBe(false)
    }
    expect(c.verify(utf8('允许 静安区中心医院 查看 '), signature, key.publicKey)).toBe(false)
  })

  it('refuses r or s of zero or the order', () => {
    const order = fromHex(c.SM2_ORDER.toString(16))
    for (const edge of [new Uint8Array(32), order]) {
      expect(c.verify(message, concat(edge, signature.slice(32)), key.publicKey)).toBe(false)
      expect(c.verify(message, concat(signature.slice(0, 32), edge), key.publicKey)).toBe(false)
    }
  })

  it('takes compressed and 04 keys and no others', () => {
    const prefix = 2 + (key.publicKey[63]! & 1)
    expect(c.normalisePublicKey(concat(Uint8Array.of(prefix), key.publicKey.slice(0, 32)))).toEqual(key.publicKey)
    expect(c.normalisePublicKey(concat(Uint8Array.of(4), key.publicKey))).toEqual(key.publicKey)
    expect(() => c.normalisePublicKey(new Uint8Array(64))).toThrow()
    expect(() => c.normalisePublicKey(concat(Uint8Array.of(6), key.publicKey))).toThrow()
  })

  it('encrypts for one key only', () => {
    const secret = c.randomBytes(16)
    const sealed = c.sm2Encrypt(secret, key.publicKey)
    expect(c.sm2Decrypt(sealed, key.privateKey)).toEqual(secret)
    expect(() => c.sm2Decrypt(sealed, c.generateKeyPair().privateKey)).toThrow()
    expect(() =>
      c.sm2Decrypt(
        Uint8Array.from(sealed, (b, i) => (i === 100 ? b ^ 1 : b)),
        key.privateKey,
      ),
    ).toThrow()
    expect(toHex(sealed).slice(0, 4)).toBe('0x04')
  })
})

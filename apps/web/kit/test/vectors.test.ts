/** The files under tests/shared, which every implementation reads. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openArtefact } from '../src/artefact'
import { bundleChecks, type Bundle } from '../src/bundle'
import { bareHex, concat, fromHex, kindWord, toHex, uint, utf8, word, type Hex } from '../src/bytes'
import { canonical } from '../src/canonical'
import { disclosedCommitment, parseJson, signedConsent, type Value } from '../src/check'
import * as c from '../src/crypto'
import { decide, parseScopeWords, REASONS, type LedgerState, type Question } from '../src/decision'
import { entryBytes, parseEntry } from '../src/entry'
import { signatureBase, signatureParams } from '../src/httpsig'
import { leafHash, rootFromPath, treeRoot } from '../src/merkle'
import * as m from '../src/messages'
import { commitment, consentId, scopeWords, spendPreimage, type Scope } from '../src/scope'

/* eslint-disable @typescript-eslint/no-explicit-any */
const vectors = (name: string): any =>
  JSON.parse(readFileSync(new URL(`../../../../tests/shared/${name}.json`, import.meta.url), 'utf8'))
const h = fromHex
const shown = (document: unknown): Value => parseJson(JSON.stringify(document))

describe('sm3.json', () => {
  const v = vectors('sm3')
  it('digests', () => {
    for (const { message, digest } of [...v.examples, ...v.lengths]) expect(bareHex(c.sm3(h(message)))).toBe(digest)
  })
  it('HMAC', () => {
    for (const { key, message, mac } of v.hmac) expect(bareHex(c.hmacSm3(h(key), h(message)))).toBe(mac)
  })
})

describe('sm4.json', () => {
  it('GCM', () => {
    for (const { key, iv, aad, plain, cipher, tag } of vectors('sm4').gcm) {
      const sealed = tag ? concat(h(cipher), h(tag)) : h(cipher)
      expect(bareHex(c.sm4Seal(h(key), h(iv), h(plain), h(aad)))).toBe(bareHex(sealed))
      expect(bareHex(c.sm4Open(h(key), h(iv), sealed, h(aad)))).toBe(plain)
    }
  })
})

describe('sm2.json', () => {
  const v = vectors('sm2')
  const uid = (hex: string): string => new TextDecoder().decode(h(hex))
  it('verifies, in every form of key and signature', () => {
    for (const s of v.signatures) {
      for (const key of [s.public, s.compressed, s.uncompressed])
        for (const signature of [s.signature, s.der]) expect(c.verify(h(s.message), h(signature), h(key), uid(s.uid))).toBe(true)
      expect(bareHex(c.sm2Z(h(s.public), uid(s.uid)))).toBe(s.z)
      expect(bareHex(c.publicKeyOf(h(s.private)))).toBe(s.public)
    }
  })
  it('refuses what is wrong', () => {
    for (const s of v.invalid) expect(c.verify(h(s.message), h(s.signature), h(s.public), uid(s.uid)), s.why).toBe(false)
    for (const { key, why } of v.badPublicKeys) expect(() => c.normalisePublicKey(h(key)), why).toThrow()
    for (const key of v.badPrivateKeys) expect(() => c.publicKeyOf(h(key))).toThrow()
    for (const { der, why } of v.badDer) expect(() => c.normaliseSignature(h(der)), why).toThrow()
  })
  it('decrypts, and refuses changed ciphertexts', () => {
    for (const e of v.encryption) expect(bareHex(c.sm2Decrypt(h(e.cipher), h(e.private)))).toBe(e.plain)
    for (const { why, cipher, ...e } of v.badCiphers) expect(() => c.sm2Decrypt(h(cipher), h(e.private)), why).toThrow()
  })
})

describe('canonical.json', () => {
  const v = vectors('canonical')
  it('valid', () => {
    for (const row of v.valid) expect(bareHex(utf8(canonical(JSON.parse(row.json))))).toBe(row.canonical)
  })
})

describe('merkle.json', () => {
  const v = vectors('merkle')
  const leaves = v.data.map((d: string) => leafHash(h(d)))
  it('leaves, roots, inclusion', () => {
    expect(leaves.map(bareHex)).toEqual(v.leafHashes)
    const roots = new Map<number, string>(v.roots.map((r: any) => [r.size, r.root]))
    for (const [size, root] of roots) expect(bareHex(treeRoot(leaves.slice(0, size)))).toBe(root)
    for (const { size, index, hashes } of v.inclusion) {
      const path = hashes.map(h)
      const root = bareHex(treeRoot(leaves.slice(0, size)))
      expect(bareHex(rootFromPath(leaves[index], index, size, path)!)).toBe(root)
      expect(rootFromPath(leaves[index], index, size, [...path, path[0] ?? leaves[0]])).toBeNull()
      if (path.length) expect(rootFromPath(leaves[index], index, size, path.slice(1))).toBeNull()
    }
  })
})

describe('words.json, messages.json, entry.json', () => {
  it('words and use chains', () => {
    const v = vectors('words')
    for (const { name, word: w } of v.kinds) expect(toHex(kindWord(name))).toBe(w)
    for (const n of v.numbers) expect(toHex(uint(BigInt(n.value), 32))).toBe(n.word)
    for (const { seed, uses, consent, spends } of v.useChains) {
      expect(toHex(consentId(word(seed), uses))).toBe(consent)
      expect(spends.map((_: string, i: number) => toHex(spendPreimage(word(seed), uses, i + 1)))).toEqual(spends)
    }
  })
  it('messages', () => {
    const v = vectors('messages')
    const dom = m.domain(word(v.ledgerId), h(v.contract))
    expect(toHex(dom)).toBe(v.domain)
    expect(toHex(m.domain(word(v.ledgerId), h(v.fabric.contract)))).toBe(v.fabric.domain)
    const [subject, key, consent, commit, old, packed] = [v.subject, v.publicKey, v.consent, v.commitment, v.old, v.packed].map(
      (x: string) => h(x),
    )
    const made: Record<string, Uint8Array> = {
      'key-bind': m.keyBind(dom, subject!, key!),
      'key-attest': m.keyAttest(dom, subject!, key!),
      'key-rotate': m.keyRotate(dom, subject!, key!, v.nonce),
      'consent-grant': m.consentGrant(dom, subject!, consent!, commit!, packed!),
      'consent-amend': m.consentAmend(dom, subject!, consent!, commit!, packed!, old!),
      'consent-revoke': m.consentRevoke(dom, subject!, consent!, v.nonce),
    }
    expect(Object.keys(made).sort()).toEqual(Object.keys(v.messages).sort())
    for (const [name, { bytes, signature }] of Object.entries<any>(v.messages)) {
      expect(toHex(made[name]!)).toBe(bytes)
      expect(c.verify(made[name]!, h(signature), h(v.signer.publicKey))).toBe(true)
    }
  })
  it('entries', () => {
    const v = vectors('entry')
    for (const e of v.entries) {
      expect(toHex(entryBytes({ ...e, tombstone: e.flags === 1 }))).toBe(e.bytes)
      expect(parseEntry(h(e.bytes)).sequence).toBe(e.sequence)
      expect(toHex(leafHash(h(e.bytes)))).toBe(e.leafHash)
    }
    for (const { why, bytes } of v.invalid) expect(() => parseEntry(h(bytes)), why).toThrow()
  })
})

describe('scope.json', () => {
  const v = vectors('scope')
  it('words and commitments', () => {
    for (const { document, words, ...row } of v.valid) {
      expect(toHex(scopeWords(document as Scope))).toBe(words)
      expect(toHex(commitment(word(v.salt), h(words)))).toBe(row.commitment)
      expect(parseScopeWords(h(words)).subject).toBe(document.subject)
    }
  })
})

describe('record.json', () => {
  it('disclosures lead to the commitment, changed ones do not', () => {
    for (const r of vectors('record').records) {
      expect(toHex(disclosedCommitment(shown(r.disclosure))!)).toBe(r.commitment)
      const [n] = Object.keys(r.disclosure.values)
      if (!n) continue
      const changed = { ...r.disclosure, values: { ...r.disclosure.values, [n]: 'changed' } }
      expect(toHex(disclosedCommitment(shown(changed))!)).not.toBe(r.commitment)
      const withoutOne = { ...r.disclosure, elementCount: r.disclosure.elementCount + 1 }
      expect(() => toHex(disclosedCommitment(shown(withoutOne))!)).toThrow()
    }
  })
})

describe('decision.json', () => {
  const all = vectors('decision').rows
  // JSON numbers of ours stop at 2^53 (core/canonical.py); rows beyond it pin the contract and Python.
  const exact = (row: any): boolean =>
    [row.time, ...Object.values(row.state.consent), ...Object.values(row.state.credential)].every(
      (n) => typeof n !== 'number' || Number.isSafeInteger(n),
    )
  const rows = all.filter(exact)
  it('leaves out only what JSON cannot carry', () => expect(all.length - rows.length).toBeLessThan(20))
  const OUTCOMES = ['no-consent', 'permit', 'deny']
  it(`${rows.length} decisions`, () => {
    for (const row of rows) {
      const q = { ...row.request, fields: BigInt(row.request.fields) } as Question
      const d = decide(row.state as LedgerState, q, h(row.words), h(row.salt), row.time)
      expect([OUTCOMES.indexOf(d.outcome), REASONS.indexOf(d.reason), d.fields], row.name).toEqual([
        row.expected.outcome,
        row.expected.reason,
        BigInt(row.expected.fields),
      ])
    }
  })
})

describe('artefact.json, httpsig.json', () => {
  it('artefacts', () => {
    const v = vectors('artefact')
    expect(toHex(signedConsent(shown(v.artefact))!)).toBe(v.artefact.consent)
    expect(toHex(signedConsent(shown(v.amendment))!)).toBe(v.amendment.consent)
    expect(openArtefact(v.sealed, v.recipient.id as Hex, h(v.recipient.private))).toEqual(v.artefact)
  })
  it('signed requests', () => {
    const v = vectors('httpsig')
    for (const r of v.requests) {
      const [, created, expires, nonce] = /created=(\d+);expires=(\d+);nonce="([^"]+)"/.exec(r.headers['Signature-Input'])!
      const params = signatureParams(
        v.keyid,
        { created: Number(created), expires: Number(expires), nonce: nonce! },
        Boolean(r.body),
      )
      expect(`sig1=${params}`).toBe(r.headers['Signature-Input'])
      const base = signatureBase(r.method, r.uri, r.headers['Content-Digest'] ?? null, params)
      expect(base).toBe(r.base)
      const signature = Uint8Array.from(atob(/:(.+):/.exec(r.headers['Signature'])![1]!), (x) => x.charCodeAt(0))
      expect(c.verify(utf8(base), signature, h(v.publicKey))).toBe(true)
    }
  })
})

describe('bundle.json', () => {
  const file = vectors('bundle')
  const bundle: Bundle = file.kind ? file : (file.bundle ?? file.complete)
  it('holds', () => {
    const failed = bundleChecks(bundle, bundle.index.root).filter((l) => l.holds === false)
    expect(failed).toEqual([])
  })
  it('fails where anything in it is changed', () => {
    const failing = (change: (b: any) => void): string[] => {
      const copy = structuredClone(bundle)
      change(copy)
      return bundleChecks(copy, bundle.index.root)
        .filter((l) => l.holds === false)
        .map((l) => l.key)
    }
    const [n] = Object.keys(bundle.record.disclosure.values)
    expect(failing((b) => (b.record.disclosure.values[n!] = 'changed'))).toEqual(expect.arrayContaining(['content', 'digest']))
    expect(failing((b) => b.index.proof.hashes.push(b.index.root))).toContain('inclusion')
    expect(failing((b) => (b.index.root = toHex(new Uint8Array(32))))).toContain('root')
    expect(failing((b) => (b.request.base += ' '))).toContain('request')
    expect(failing((b) => (b.consent.artefact.scope.period.end += 1))).toContain('consent')
    expect(failing((b) => (b.decision.state.consent.status = 3))).toContain('decision')
    expect(failing((b) => (b.receipt.number += 1))).toContain('receipt')
  })
})

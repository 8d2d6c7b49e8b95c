import { describe, expect, it } from 'vitest'
import { toHex } from '../src/bytes'
import { openArtefact, sealArtefact, signConsent, type Artefact } from '../src/artefact'
import { parseJson, signedConsent } from '../src/check'
import { generateKeyPair, randomBytes } from '../src/crypto'
import { scopeWords, type Scope } from '../src/scope'

const id = () => toHex(randomBytes(32))
const [subject, doctor] = [generateKeyPair(), generateKeyPair()]
const [subjectId, doctorId] = [id(), id()]
const scope: Scope = {
  kind: 'healthtrust/consent-scope',
  version: 1,
  subject: subjectId,
  grantee: { type: 'practitioner', id: doctorId, organisation: id() },
  purposes: ['TREAT'],
  categories: ['laboratory', 'medication'],
  custodians: 'all',
  records: [id(), id()],
  fields: [{ schema: id(), elements: [1, 2, 7] }],
  period: { start: 1_800_000_000, end: 1_800_086_400 },
  uses: 3,
  onwardSharing: false,
  mode: 'remote',
}
const holds = (artefact: Artefact): boolean => signedConsent(parseJson(JSON.stringify(artefact))) !== null
const terms = { domain: id(), nonce: 4 }

describe('consent artefact', () => {
  const artefact = signConsent(scope, terms, subject)

  it('holds, and opens for its recipients only', () => {
    expect(holds(artefact)).toBe(true)
    const recipients = [
      { id: subjectId, publicKey: toHex(subject.publicKey) },
      { id: doctorId, publicKey: toHex(doctor.publicKey) },
    ]
    const sealed = sealArtefact(artefact, recipients)
    expect(openArtefact(sealed, doctorId, doctor.privateKey)).toEqual(artefact)
    expect(() => openArtefact(sealed, doctorId, generateKeyPair().privateKey)).toThrow()
    expect(() => openArtefact(sealed, id(), doctor.privateKey)).toThrow()
    expect(() => openArtefact({ ...sealed, consent: id() }, doctorId, doctor.privateKey)).toThrow()
    expect(JSON.stringify(sealed)).not.toContain(artefact.salt.slice(2))
  })

  it('fails when its scope is widened, its period moved or its signature taken from elsewhere', () => {
    expect(holds({ ...artefact, scope: { ...scope, categories: 'all' } })).toBe(false)
    const longer = { ...scope, period: { ...scope.period, end: scope.period.end + 1 } }
    expect(holds({ ...artefact, scope: longer })).toBe(false)
    expect(holds({ ...artefact, seed: id() })).toBe(false)
    expect(holds({ ...artefact, publicKey: toHex(doctor.publicKey) })).toBe(false)
  })

  it('is an amendment when it replaces a consent', () => {
    const amended = signConsent(scope, terms, subject, artefact.consent)
    expect(holds(amended)).toBe(true)
    expect(amended.message.endsWith(artefact.consent.slice(2))).toBe(true)
  })
})

describe('scope words', () => {
  it('do not depend on the order in which ids were ticked', () => {
    const turned = { ...scope, records: [...(scope.records as `0x${string}`[])].reverse() }
    expect(scopeWords(turned)).toEqual(scopeWords(scope))
  })

  it('refuse what no contract accepts', () => {
    const twice = { ...scope, records: [subjectId, subjectId] }
    for (const bad of [twice, { ...scope, purposes: ['FUN'] }, { ...scope, fields: [{ schema: id(), elements: [0] }] }])
      expect(() => scopeWords(bad)).toThrow(RangeError)
  })
})

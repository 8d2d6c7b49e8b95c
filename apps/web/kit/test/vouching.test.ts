import { beforeEach, describe, expect, it, vi } from 'vitest'
import { toHex, utf8, type Hex } from '../src/bytes'
import { canonical, type Json } from '../src/canonical'
import { generateKeyPair, randomBytes, sign, sm3 } from '../src/crypto'
import type { Organisation } from '../src/model'
import {
  Acquaintances,
  asKnown,
  checkNumber,
  DoubtfulKey,
  heard,
  requireConfirmed,
  type Doubt,
  type Said,
  type Wanted,
} from '../src/vouching'

const id = (): Hex => toHex(randomBytes(32))
const key = (): Hex => toHex(generateKeyPair().publicKey)
const [hospitalKey, ledger, nonce] = [generateKeyPair(), id(), id()]
const organisation = (name: string, publicKey: Hex, custodian = true): Organisation =>
  ({ id: toHex(sm3(utf8(name))), name, publicKey, custodian, active: true }) as Organisation
const hospital = organisation('中心医院', toHex(hospitalKey.publicKey))
const clinic = organisation('卫生院', key())
const doctor: Wanted = { kind: 'practitioner', id: id(), publicKey: key(), organisation: clinic.id }
const told = (said: Said[]) => new Map([[hospital.id, said]])
const truth: Said = { kind: 'practitioner', id: doctor.id, publicKey: doctor.publicKey, active: true, organisation: clinic.id }
const member: Wanted = {
  kind: 'organisation',
  id: clinic.id,
  publicKey: clinic.publicKey!,
  name: clinic.name!,
  mustKeepRecords: true,
}
const memberTruth: Said = {
  kind: 'organisation',
  id: clinic.id,
  publicKey: clinic.publicKey!,
  active: true,
  custodian: true,
  nameDigest: toHex(sm3(utf8(clinic.name!))),
}

function doubt(run: () => void): [Doubt, Hex | null] | null {
  try {
    run()
    return null
  } catch (e) {
    expect(e).toBeInstanceOf(DoubtfulKey)
    return [(e as DoubtfulKey).doubt, (e as DoubtfulKey).voucher]
  }
}

describe('what a custodian says', () => {
  const statement = canonical({
    kind: 'healthtrust/key-statement',
    version: 1,
    ledger,
    custodian: hospital.id,
    nonce,
    block: { height: 7, hash: id(), time: 1_800_000_000 },
    keys: [{ ...truth }],
  } as unknown as Json)
  const answer = { statement, signature: toHex(sign(utf8(statement), hospitalKey)) }
  const known = { id: hospital.id, name: hospital.name!, publicKey: hospital.publicKey!, custodian: true }

  it('counts under the key this device knows, for this ledger and this question', () => {
    expect(heard(answer, known, ledger, nonce)).toEqual([truth])
    expect(heard(answer, known, id(), nonce)).toBeNull()
    expect(heard(answer, known, ledger, id())).toBeNull()
    expect(heard(answer, { ...known, id: id() }, ledger, nonce)).toBeNull()
    expect(heard(answer, { ...known, publicKey: key() }, ledger, nonce)).toBeNull()
    expect(heard({ ...answer, statement: statement.replace(doctor.publicKey, key()) }, known, ledger, nonce)).toBeNull()
  })
})

describe('whose key it is', () => {
  const nobody = () => null
  const asRemembered = () => true

  it('holds when a custodian’s ledger confirms it', () => {
    expect(doubt(() => requireConfirmed([doctor, member], nobody, told([truth, memberTruth])))).toBeNull()
  })

  it.each([
    ['another key', { publicKey: key() }],
    ['a dismissed doctor', { active: false }],
    ['another employer', { organisation: hospital.id }],
  ])('is denied for %s, and by whom', (_, lie) => {
    expect(doubt(() => requireConfirmed([doctor], asRemembered, told([{ ...truth, ...lie }])))).toEqual(['denied', hospital.id])
  })

  it.each([
    ['another name', { nameDigest: id() }],
    ['one that keeps no records', { custodian: false }],
    ['one that left', { active: false }],
  ])('is denied for an institution: %s', (_, lie) => {
    expect(doubt(() => requireConfirmed([member], nobody, told([{ ...memberTruth, ...lie }])))).toEqual(['denied', hospital.id])
  })

  it('is doubtful where nobody answers, and where it changed unconfirmed', () => {
    expect(doubt(() => requireConfirmed([doctor], nobody, new Map()))).toEqual(['silent', null])
    expect(doubt(() => requireConfirmed([member], () => false, new Map()))).toEqual(['changed', null])
    expect(doubt(() => requireConfirmed([member], () => false, told([memberTruth])))).toBeNull()
    expect(doubt(() => requireConfirmed([member], asRemembered, new Map()))).toBeNull()
  })

  it('is checked for each of two keys named for one party', () => {
    const twice = [doctor, { ...doctor, publicKey: key() }]
    expect(doubt(() => requireConfirmed(twice, nobody, told([truth])))).toEqual(['denied', hospital.id])
  })
})

describe('institutions this device knows', () => {
  beforeEach(() => {
    const kept = new Map<string, string>()
    const storage = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v) }
    vi.stubGlobal('localStorage', storage)
  })

  it('are those of the first visit, whatever is said later', () => {
    const friends = new Acquaintances(ledger)
    friends.meet([hospital])
    const changed = { ...hospital, publicKey: key() }
    friends.meet([changed, clinic])
    expect(friends.all().map((k) => k.publicKey)).toEqual([hospital.publicKey])
    expect(asKnown(hospital, friends.get(hospital.id))).toBe(true)
    for (const other of [changed, { ...hospital, name: '别的医院' }, clinic])
      expect(asKnown(other, friends.get(other.id))).toBe(false)
    friends.renew(changed)
    expect(asKnown(changed, friends.get(hospital.id))).toBe(true)
    expect(new Acquaintances(id()).all()).toEqual([])
  })

  it('gain no right to keep records by the gateway’s word', () => {
    const friends = new Acquaintances(ledger)
    friends.meet([organisation('登记处', key(), false)])
    const [office] = friends.all()
    expect(asKnown({ ...organisation(office!.name, office!.publicKey), id: office!.id }, office)).toBe(false)
  })

  it('have a number of twelve digits that changes with the key', () => {
    expect(checkNumber(hospital.id, hospital.publicKey!)).toMatch(/^\d{4} \d{4} \d{4}$/)
    expect(checkNumber(hospital.id, hospital.publicKey!)).not.toBe(checkNumber(hospital.id, clinic.publicKey!))
  })
})

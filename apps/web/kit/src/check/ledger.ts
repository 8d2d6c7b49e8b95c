/** The ledger part of a bundle, whatever ledger it is from. */
import { readComet } from './comet'
import { Evidence } from './evidence'
import { readEvm } from './evm'
import { readFabric } from './fabric'
import { at, Malformed, textOf, type Value } from './read'

const READERS: { [kind: string]: (evidence: Evidence, ledger: Value) => void } = {
  evm: readEvm,
  comet: readComet,
  fabric: readFabric,
}

/** Throws Malformed if one header or proof does not hold. */
export function readEvidence(ledger: Value): Evidence {
  const kind = textOf(at(ledger, 'kind'))
  if (!Object.hasOwn(READERS, kind)) throw new Malformed('a ledger of an unknown kind')
  const evidence = new Evidence()
  READERS[kind]!(evidence, ledger)
  return evidence
}

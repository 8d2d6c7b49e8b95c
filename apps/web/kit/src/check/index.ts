/** Checking a proof bundle in this browser, with nothing but the two documents (docs/formats.md, 9). Agrees with `core/verify` line by line. */
import { CHECKS, Subject, type Code } from './checks'
import { Missing, parseJson, type Value } from './read'

export { disclosedCommitment, signedConsent, type Code } from './checks'
export { at, isObject, parseJson, type Value } from './read'

export interface Line {
  code: Code
  /** True: proved. False: disproved. Null: not shown. */
  ok: boolean | null
}

/** 0: all true and shown. 1: something is false. 2: not a proof bundle. 3: true as far as shown, ledger evidence or trust missing. */
export type Exit = 0 | 1 | 2 | 3

export interface Report {
  exit: Exit
  lines: Line[]
  /** Two people's signatures stand where a consent would. */
  emergency: boolean
}

const UNREADABLE: Report = { exit: 2, lines: [], emergency: false }
export const CODES = Object.keys(CHECKS) as Code[]
/** Lines without which nothing is proved in the end. */
export const MANDATORY: ReadonlySet<Code> = new Set<Code>([
  'ledger_index',
  'ledger_members',
  'ledger_credential',
  'ledger_custodian',
  'ledger_time',
  'ledger_consent',
  'trust',
])

/** Checks the text of a bundle against the text of a checkpoint, or none. Never throws. */
export function checkTexts(bundle: string, checkpoint: string | null): Report {
  try {
    return check(parseJson(bundle), checkpoint === null ? undefined : parseJson(checkpoint))
  } catch {
    return UNREADABLE
  }
}

/** Checks parsed documents ({@link parseJson}). Never throws. */
export function check(bundle: Value, checkpoint: Value | undefined): Report {
  let subject: Subject
  try {
    subject = new Subject(bundle, checkpoint)
  } catch {
    return UNREADABLE
  }
  const lines = CODES.map((code) => ({ code, ok: outcome(() => CHECKS[code](subject)) }))
  const { emergency } = subject
  if (lines.some((line) => line.ok === false)) return { exit: 1, lines, emergency }
  const missing = lines.some((line) => line.ok === null && MANDATORY.has(line.code))
  return { exit: missing ? 3 : 0, lines, emergency }
}

function outcome(run: () => boolean): boolean | null {
  try {
    return run()
  } catch (e) {
    return e instanceof Missing ? null : false
  }
}

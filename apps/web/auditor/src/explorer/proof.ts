/** Checks what an answer about a moment claims, here in the browser (docs/formats.md §15; `core/live.py` does the same). */
import { concat, fromHex, hmacSm3, included, kindWord, uint, utf8, word, type Bytes } from '@healthtrust/kit'
import type { AsOf, Leaf, Reading, Section } from './model'

const KIND = kindWord('healthtrust/live-consent/v1')
const key = (leaf: Leaf): string => leaf.subject + leaf.consent

function leafData(leaf: Leaf): Bytes {
  const terms = concat(
    uint(leaf.not_before, 8),
    uint(leaf.not_after, 8),
    uint(leaf.use_limit, 4),
    uint(leaf.uses, 4),
    new Uint8Array(8),
  )
  return concat(KIND, word(leaf.consent), word(leaf.subject), word(leaf.commitment), terms)
}

/** Whether the person's consents in the tree with this root are exactly those of the section. */
export function sectionHolds(section: Section, root: string): boolean {
  const run = [section.before, ...section.leaves, section.after].filter((leaf) => leaf !== null)
  if (section.size === 0) return run.length === 0
  const sides = [section.before, section.after].filter((leaf) => leaf !== null)
  const [first, last] = [run[0], run[run.length - 1]]
  return (
    first !== undefined &&
    section.leaves.every((leaf) => leaf.subject === section.subject) &&
    sides.every((leaf) => leaf.subject !== section.subject) &&
    run.every((leaf, i) => i === 0 || (run[i - 1]!.index + 1 === leaf.index && key(run[i - 1]!) < key(leaf))) &&
    (section.before !== null || first.index === 0) &&
    (section.after !== null || last!.index === section.size - 1) &&
    run.every((leaf) => included(leafData(leaf), leaf.index, section.size, leaf.path.map(fromHex), fromHex(root)))
  )
}

/** Whether the lines shown are those that are proved. */
export const linesHold = (answer: AsOf): boolean =>
  sectionHolds(answer.section, answer.root) &&
  answer.lines.length === answer.section.leaves.length &&
  answer.lines.every((line, i) => line.consent === answer.section.leaves[i]!.consent)

/** Whether a receipt is under the root that the ledger holds of its batch. */
export function readingHolds({ proof, receipt }: Reading): boolean {
  if (proof === null) return false
  const leaf = hmacSm3(fromHex(proof.salt), utf8(receipt))
  return included(leaf, proof.leafIndex, proof.treeSize, proof.hashes.map(fromHex), fromHex(proof.root))
}

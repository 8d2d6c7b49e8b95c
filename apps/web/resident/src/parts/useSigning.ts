/** A change that needs the passphrase: opens the sheet, then runs with the key, shows its steps and what went wrong. */
import type { KeyPair } from '@healthtrust/kit'
import { computed, reactive } from 'vue'
import { i18n } from '../words'
import { changed, explain } from '../state'

export type Step = (done: number) => void

/** The steps of a consent: whose seals these are is checked before anything is signed. */
export const CONSENT_STEPS = ['stepCheck', 'stepSign', 'stepSend', 'stepDone']
export const STEPS = ['stepSign', 'stepSend', 'stepDone']

export function useSigning(run: (key: KeyPair, step: Step) => Promise<void>, steps: () => string[] = () => STEPS) {
  const { t } = i18n.global as unknown as { t: (key: string) => string }
  const signing = reactive({
    sheet: false,
    /** −1: not begun. */
    done: -1,
    problem: '',
    steps: computed(() => steps().map((k) => t(`request.${k}`))),
    busy: computed((): boolean => signing.done >= 0 && !signing.problem),
    ask(): void {
      signing.sheet = true
    },
    async sign(key: KeyPair): Promise<void> {
      signing.done = 0
      signing.problem = ''
      try {
        await run(key, (step) => (signing.done = step))
        changed()
      } catch (e) {
        signing.problem = explain(e)
      } finally {
        key.privateKey.fill(0)
      }
    },
  })
  return signing
}

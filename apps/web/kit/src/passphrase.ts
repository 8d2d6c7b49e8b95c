/** A form that asks for the passphrase: what is typed, how far the key's derivation is, what went wrong. */
import { computed, reactive } from 'vue'
import type { Progress } from './keystore'

export type PassphraseForm = ReturnType<typeof usePassphrase>

/** `run` opens what the passphrase locks; `explain` puts what it throws into words. What was typed is forgotten either way. */
export function usePassphrase(run: (passphrase: string, onProgress: Progress) => Promise<void>, explain: (e: unknown) => string) {
  const form = reactive({
    typed: '',
    problem: '',
    /** 0 to 1; −1: nothing under way. */
    share: -1,
    busy: computed((): boolean => form.share >= 0),
    percent: computed((): number => Math.round(Math.max(form.share, 0) * 100)),
    async submit(): Promise<void> {
      form.problem = ''
      form.share = 0
      try {
        await run(form.typed, (share) => (form.share = share))
      } catch (e) {
        form.problem = explain(e)
      } finally {
        form.share = -1
        form.typed = ''
      }
    },
  })
  return form
}

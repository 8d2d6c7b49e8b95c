import { onBeforeUnmount } from 'vue'

const LOOK_AGAIN_MS = 15_000

/** Ask again every quarter of a minute while the page is looked at and nothing is being signed: news must come by itself. */
export function lookAgain(reload: () => Promise<void>, busy: () => boolean = () => false): void {
  const timer = setInterval(() => {
    if (!document.hidden && !busy()) void reload()
  }, LOOK_AGAIN_MS)
  onBeforeUnmount(() => clearInterval(timer))
}

/** What the device and its owner like: dark or light, large letters. */
const LARGE = 'healthtrust.large'

/** Follows the system's dark mode, for Vant and Element Plus alike. */
export function followSystemTheme(): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    document.documentElement.classList.toggle('dark', dark.matches)
    document.documentElement.classList.toggle('van-theme-dark', dark.matches)
  }
  dark.addEventListener('change', apply)
  apply()
}

export const isLarge = (): boolean => localStorage.getItem(LARGE) === 'true'

export function setLarge(large: boolean): void {
  localStorage.setItem(LARGE, String(large))
  applyLarge()
}

export function applyLarge(): void {
  document.documentElement.dataset['large'] = String(isLarge())
}

/** Vant's boxes and switches take the focus but no key: Space does what a tap does. */
export function spaceTaps(): void {
  addEventListener('keydown', (event) => {
    const box = event.target as HTMLElement
    if (event.key !== ' ' || !box.matches('div[role=checkbox], div[role=radio], div[role=switch]')) return
    event.preventDefault()
    box.click()
  })
}

const RELOADED = 'healthtrust.reloaded'

/**
 * A page left open while a new build is installed asks for parts that are gone: it loads itself anew, once for every part, and
 * only where the server answers – without a network the page that is open is all there is.
 */
export function reloadWhenRebuilt(): void {
  addEventListener('vite:preloadError', ({ payload }) => {
    if (sessionStorage.getItem(RELOADED) === payload.message) return
    const reload = ({ ok }: Response) => {
      if (!ok) return
      sessionStorage.setItem(RELOADED, payload.message)
      location.reload()
    }
    void fetch(location.pathname, { method: 'HEAD', cache: 'no-store' }).then(reload, () => undefined)
  })
}

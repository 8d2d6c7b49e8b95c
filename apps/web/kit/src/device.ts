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

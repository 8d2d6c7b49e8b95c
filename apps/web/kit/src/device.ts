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

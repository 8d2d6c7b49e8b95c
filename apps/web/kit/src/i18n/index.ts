import { createI18n, type I18n } from 'vue-i18n'
import { en } from './en'
import { zh } from './zh'

export type Locale = 'zh-CN' | 'en'
const SLOT = 'healthtrust.locale'
type Tree = { [key: string]: string | Tree }

/** What the person chose, else what the device speaks; Chinese where it speaks neither. */
export function preferredLocale(): Locale {
  const chosen = localStorage.getItem(SLOT)
  if (chosen === 'zh-CN' || chosen === 'en') return chosen
  return navigator.languages.find((l) => /^(zh|en)/.test(l))?.startsWith('en') ? 'en' : 'zh-CN'
}

export function rememberLocale(locale: Locale): void {
  localStorage.setItem(SLOT, locale)
  document.documentElement.lang = locale
}

/** The words of one page on top of the shared ones. */
export function createWords<T extends Tree>(own: { zh: T; en: T }): I18n {
  const locale = preferredLocale()
  document.documentElement.lang = locale
  const messages = { 'zh-CN': { ...zh, ...own.zh }, en: { ...en, ...own.en } }
  return createI18n({ legacy: false, locale, fallbackLocale: 'zh-CN', messages }) as unknown as I18n
}

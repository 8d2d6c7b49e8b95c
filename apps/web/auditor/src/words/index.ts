import { createWords } from '@healthtrust/kit'
import { verifyEn, verifyZh } from '@healthtrust/verify'
import { en } from './en'
import { zh } from './zh'

export const i18n = createWords({ zh: { ...zh, verify: verifyZh }, en: { ...en, verify: verifyEn } })

import { createWords } from '@healthtrust/kit'
import { verifyEn, verifyZh } from './index'

export const i18n = createWords({ zh: { verify: verifyZh }, en: { verify: verifyEn } })

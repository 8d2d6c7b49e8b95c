import { createWords } from '@healthtrust/kit'
import { en } from './en'
import { zh } from './zh'

export const i18n = createWords({ zh, en })

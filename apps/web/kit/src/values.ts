/** A value as a person reads it: codes by their text, lists joined, dates as dates. */
import type { Json } from './canonical'
import { day, moment } from './dates'
import { shortId } from './words'

/** Codes that sources write in English, as people say them. */
const ZH: Record<string, string> = {
  male: '男',
  female: '女',
  active: '进行中',
  inactive: '已停止',
  completed: '已完成',
  finished: '已结束',
  stopped: '已停用',
  resolved: '已痊愈',
  final: '最终结果',
  confirmed: '已确认',
  unconfirmed: '未确认',
  allergy: '过敏',
  intolerance: '不耐受',
  food: '食物',
  medication: '药物',
  environment: '环境',
  high: '高',
  low: '低',
  outpatient: '门诊',
  inpatient: '住院',
  emergency: '急诊',
  ambulatory: '门诊',
  true: '是',
  false: '否',
}

export function plainValue(value: Json | undefined, type: string, locale: string, empty: string): string {
  if (value === null || value === undefined || value === '') return empty
  if (Array.isArray(value))
    return value.map((v) => plainValue(v, type, locale, empty)).join(locale.startsWith('zh') ? '、' : ', ')
  if (typeof value === 'boolean') return value ? '✓' : '✗'
  if (typeof value === 'object') return fromObject(value, type, locale, empty)
  return typeof value === 'string' ? fromText(value, locale) : String(value)
}

const IS_ID = /^0x[0-9a-f]{64}$/

/** Another record's id says nothing to a reader; enough of it stands there to tell two apart. */
function fromText(value: string, locale: string): string {
  if (IS_ID.test(value)) return shortId(value)
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(value)
  const at = isDate ? Date.parse(value) / 1000 : NaN
  if (Number.isNaN(at)) return locale.startsWith('zh') ? (ZH[value.toLowerCase()] ?? value) : value
  return value.includes('T') ? moment(at, locale) : day(at, locale)
}

function fromObject(value: { [key: string]: Json | undefined }, type: string, locale: string, empty: string): string {
  const named = value['display'] ?? value['text'] ?? value['name']
  if (named !== undefined) return plainValue(named, type, locale, empty)
  if (value['value'] !== undefined) return [value['value'], value['unit']].filter((v) => v !== undefined && v !== null).join(' ')
  return Object.values(value)
    .map((v) => plainValue(v, type, locale, ''))
    .filter(Boolean)
    .join(' ')
}

/** How each kind of step looks: a tone and an icon beside its word (`step.<kind>`). */
import {
  Bell,
  CircleCheck,
  CircleClose,
  Collection,
  Connection,
  Delete,
  Document,
  DocumentAdd,
  Edit,
  Finished,
  Key,
  Lock,
  Minus,
  Paperclip,
  QuestionFilled,
  Remove,
  Stamp,
  Switch,
  Tickets,
  Unlock,
  User,
  View,
  Warning,
} from '@element-plus/icons-vue'
import type { Component } from 'vue'

export type Tone = 'good' | 'wait' | 'bad' | 'calm'
export interface Look {
  tone: Tone
  icon: Component
}

const look = (tone: Tone, icon: Component): Look => ({ tone, icon })

export const LOOKS: Record<string, Look> = {
  created: look('calm', DocumentAdd),
  indexed: look('calm', Tickets),
  anchored: look('good', Stamp),
  'entries published': look('calm', Collection),
  deleted: look('bad', Delete),
  requested: look('wait', QuestionFilled),
  answered: look('calm', Bell),
  granted: look('good', Unlock),
  amended: look('wait', Edit),
  revoked: look('bad', Lock),
  used: look('calm', Minus),
  read: look('good', View),
  refused: look('bad', CircleClose),
  'read (receipts)': look('good', Paperclip),
  'key bound': look('good', Key),
  'key rotated': look('wait', Key),
  'key recovered': look('wait', Key),
  'recovery requested': look('wait', Warning),
  'recovery vetoed': look('bad', CircleClose),
  'credential issued': look('good', User),
  'credential revoked': look('bad', User),
  'schema registered': look('calm', Document),
  invited: look('wait', Connection),
  joined: look('good', Connection),
  suspended: look('bad', Remove),
  restored: look('good', Connection),
  left: look('bad', Remove),
  'roles set': look('calm', Switch),
  'account set': look('calm', Switch),
  proposed: look('wait', Edit),
  voted: look('calm', CircleCheck),
  executed: look('good', Finished),
  'emergency opened': look('bad', Warning),
  'emergency reviewed': look('good', CircleCheck),
  submitted: look('wait', Document),
  moved: look('calm', Switch),
  evidence: look('calm', Paperclip),
  published: look('calm', Collection),
  frozen: look('bad', Lock),
  thawed: look('good', Unlock),
}
const OTHER = look('calm', Document)
export const lookOf = (kind: string): Look => LOOKS[kind] ?? OTHER

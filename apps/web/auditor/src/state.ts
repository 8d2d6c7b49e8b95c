/** The open session of the console, and names of who acts. */
import { KeyStore, Problem, Session, shortId, unlockKey, WrongPassphrase, type Hex, type KeyFile } from '@healthtrust/kit'
import { reactive } from 'vue'
import { AuditorPlatform } from './platform'
import { i18n } from './words'

const IDLE_MS = 30 * 60_000
const { t } = i18n.global as unknown as { t: (key: string, named?: Record<string, unknown>) => string }

export const store = new KeyStore('healthtrust.auditor.key')
export const platform = new AuditorPlatform(location.origin)
export const state = reactive({
  file: savedFile(),
  unlocked: false,
  /** Names of organisations and practitioners, by id; empty where asked and not known. */
  names: new Map<string, string>(),
  /** Whether an id is an organisation's. */
  organisations: new Set<string>(),
  custodians: [] as Hex[],
})

export const session = new Session(IDLE_MS, () => {
  state.unlocked = false
  void platform.signOut()
})
platform.client.onUnauthorised = () => session.lock()
for (const event of ['pointerdown', 'keydown']) addEventListener(event, () => session.touch(), { passive: true })
addEventListener('pagehide', () => session.lock())

function savedFile(): KeyFile | null {
  try {
    return store.load()
  } catch {
    store.remove()
    return null
  }
}

/** The credential of this key does not say auditor. */
export class NotAnAuditor extends Error {}

export async function open(file: KeyFile, passphrase: string, onProgress: (share: number) => void): Promise<void> {
  const key = await unlockKey(file, passphrase, onProgress)
  const who = await platform.signIn(file.keyid, key)
  if (!who.roles.includes('auditor')) {
    await platform.signOut()
    throw new NotAnAuditor()
  }
  session.open(key)
  store.save(file)
  state.file = file
  await Promise.all([platform.loadOrganisations(), platform.loadDocumentTypes()])
  for (const o of platform.organisations.values()) {
    state.names.set(o.id, o.name ?? '')
    state.organisations.add(o.id)
  }
  state.custodians = [...platform.organisations.values()].filter((o) => o.custodian).map((o) => o.id)
  state.unlocked = true
}

/** Name of an organisation or practitioner; a shortened id where nobody told us. Asks once for a practitioner's. */
export function nameOf(id: string, ask = false): string {
  const found = state.names.get(id)
  if (found !== undefined || !ask) return found || shortId(id)
  state.names.set(id, '')
  platform
    .person(id as Hex)
    .then((p) => state.names.set(id, [p.name, p.title].filter(Boolean).join(' ')))
    .catch(() => undefined)
  return shortId(id)
}

/** What went wrong, in words one can act on. */
export function explain(error: unknown): string {
  if (error instanceof WrongPassphrase) return t('problem.wrongPassphrase')
  if (error instanceof NotAnAuditor) return t('login.notAuditor')
  if (error instanceof Problem && error.code === 'other_address') return t('login.address', { address: error.message })
  if (error instanceof Problem && error.status === 0) return t('problem.noAnswer')
  if (error instanceof Problem && error.status === 401) return state.unlocked ? t('problem.session') : t('login.notRegistered')
  if (error instanceof Problem) return error.message
  return t('problem.unexpected', { detail: error instanceof Error ? error.message : String(error) })
}

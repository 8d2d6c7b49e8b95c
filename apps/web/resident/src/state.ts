/** The one state of this page: the key file on the device, the open session, and what was fetched. */
import {
  DoubtfulKey,
  KeyStore,
  Problem,
  Refused,
  ResidentPlatform,
  Session,
  WrongPassphrase,
  shortId,
  unlockKey,
  type Hex,
  type KeyFile,
  type KeyPair,
} from '@healthtrust/kit'
import { reactive, ref, shallowRef, type Ref } from 'vue'
import { i18n } from './words'

const IDLE_MS = 10 * 60_000
export const store = new KeyStore('healthtrust.resident.key')
/** A new key on its way to the ledger: beside the old one while it takes over, alone while a recovery waits. */
export const pending = new KeyStore('healthtrust.resident.key.pending')
export const platform = new ResidentPlatform(location.origin)
const WAITING_UNTIL = 'healthtrust.resident.recovery-until'
/** When the new key on this device may take effect (seconds, UTC), as the ledger said when it was last seen waiting; 0: not seen. */
export const waitingUntil = {
  get: (): number => Number(localStorage.getItem(WAITING_UNTIL) ?? 0),
  set: (at: number): void => localStorage.setItem(WAITING_UNTIL, String(at)),
  remove: (): void => localStorage.removeItem(WAITING_UNTIL),
}

export const state = reactive({
  file: store.load() as KeyFile | null,
  unlocked: false,
  /** Records whose content was checked on this device since it was opened, and whether it held. */
  checked: new Map<string, boolean>(),
  /** Counts up whenever something on the ledger changed, so that open pages fetch again. */
  version: 0,
  /** Id → name, filled as people and organisations become known. */
  names: new Map<string, string>(),
})

export const session = new Session(IDLE_MS, () => {
  state.unlocked = false
  void platform.signOut()
})

platform.client.onUnauthorised = () => session.lock()
for (const event of ['pointerdown', 'keydown']) addEventListener(event, () => session.touch(), { passive: true })

const { t } = i18n.global as unknown as { t: (key: string, named?: Record<string, unknown>) => string }

/** How long the ledger makes a new seal wait where an old one exists (`RECOVERY_DELAY` of the Identity contract). */
export const RECOVERY_DAYS = 7

export const subjectOf = (file: KeyFile): Hex => file.keyid.split(':')[1] as Hex
/** The subject's id, from the key file. */
export const me = (): Hex => (state.file ? subjectOf(state.file) : '0x')

/**
 * Opens the key with the passphrase, logs in, and learns who is who. Where the change to a new key was cut short after the ledger had it, the
 * old key is refused, and the new one, kept beside it, takes its place.
 */
export async function open(passphrase: string, onProgress?: (share: number) => void): Promise<void> {
  try {
    await enter(await unlockKey(state.file!, passphrase, onProgress))
  } catch (refused) {
    if (pending.load()?.keyid !== state.file!.keyid || (refused instanceof Problem && refused.status === 0)) throw refused
    await adopt(passphrase, onProgress).catch(() => {
      throw refused
    })
  }
}

/** Makes the key that waited this device's key, if the ledger takes it. */
export async function adopt(passphrase: string, onProgress?: (share: number) => void): Promise<void> {
  const file = pending.load()!
  await enter(await unlockKey(file, passphrase, onProgress), file)
  keep(file)
  forgetPending()
}

/** The new key that waited is in use, or will never be. */
export function forgetPending(): void {
  pending.remove()
  waitingUntil.remove()
}

export async function enter(key: KeyPair, file: KeyFile = state.file!): Promise<void> {
  await platform.signIn(file.keyid, key)
  session.open(key)
  await Promise.all([platform.loadOrganisations(), platform.loadDocumentTypes()])
  for (const o of platform.organisations.values()) state.names.set(o.id, o.name ?? '')
  state.unlocked = true
}

export function keep(file: KeyFile): void {
  store.save(file)
  state.file = file
}

export const changed = (): number => state.version++

/** Name of anybody; fetched in the background where not yet known. */
export function nameOf(id: string): string {
  const known = state.names.get(id)
  if (known !== undefined) return known || shortId(id)
  if (id === me()) return t('readers.self')
  state.names.set(id, '')
  platform
    .person(id as Hex)
    .then((p) => state.names.set(id, p.name))
    .catch(() => undefined)
  return shortId(id)
}

/** What went wrong, in words a person can act on. */
export function explain(error: unknown): string {
  if (error instanceof WrongPassphrase) return t('problem.wrongPassphrase')
  if (error instanceof DoubtfulKey) return doubtful(error)
  if (error instanceof Refused) return t('problem.ledger', { detail: error.message })
  if (error instanceof Problem && ['other_ledger', 'other_scope'].includes(error.code)) return t('doubt.otherwise')
  if (error instanceof Problem && error.status === 0) return t('problem.noAnswer')
  if (error instanceof Problem && error.status === 401) return t('problem.session')
  return t('problem.unexpected', { detail: error instanceof Error ? error.message : String(error) })
}

function doubtful({ party, doubt, voucher }: DoubtfulKey): string {
  return t(`doubt.${doubt}`, { name: nameOf(party), voucher: voucher ? nameOf(voucher) : '' }) + t('doubt.nothing')
}

export interface Loaded<T> {
  data: Ref<T | null>
  error: Ref<string>
  reload: () => Promise<void>
}

/** Fetches now, keeps what was there while fetching again, and says plainly what went wrong. */
export function load<T>(fetch: () => Promise<T>): Loaded<T> {
  const data = shallowRef<T | null>(null)
  const error = ref('')
  async function reload(): Promise<void> {
    try {
      error.value = ''
      data.value = await fetch()
    } catch (e) {
      error.value = explain(e)
    }
  }
  void reload()
  return { data, error, reload }
}

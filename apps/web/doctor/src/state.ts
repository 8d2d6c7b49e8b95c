/** The one state of the doctor's desk: the open session, the patients, what was read of the chosen one. */
import {
  asConsent,
  DoctorPlatform,
  KeyStore,
  now,
  Problem,
  Refused,
  Session,
  shortId,
  unlockKey,
  WrongPassphrase,
  type AccessRequest,
  type Hex,
  type KeyFile,
  type ListedAll,
  type ReceivedConsent,
  type StaffEmergency,
  type Released,
} from '@healthtrust/kit'
import { computed, reactive, shallowReactive } from 'vue'
import { i18n } from './words'

const IDLE_MS = 15 * 60_000
/** Nobody is sent a notice of an emergency that waits for a second person, nor of one that reaches the ledger. */
const LOOK_AGAIN_MS = 4000
let lookingAgain: ReturnType<typeof setInterval> | undefined
const { t } = i18n.global as unknown as { t: (key: string, named?: Record<string, unknown>) => string }

export const store = new KeyStore('healthtrust.doctor.key')
export const platform = new DoctorPlatform(location.origin)
export const state = reactive({
  file: store.load() as KeyFile | null,
  unlocked: false,
  patient: null as Hex | null,
  /** What the doctor typed to find a patient, shortened; in this page's memory only. */
  labels: new Map<string, string>(),
  names: new Map<string, string>(),
  problem: '',
})
/** Lists as fetched; replaced whole. */
export const lists = shallowReactive({
  requests: [] as AccessRequest[],
  consents: [] as ReceivedConsent[],
  emergencies: [] as StaffEmergency[],
  loaded: false,
})
/** What was read, by record. */
export const released = shallowReactive(new Map<string, Released>())
export const view = shallowReactive({ listed: null as ListedAll | null, listing: false, selected: null as Released | null })

const FAVOURITES = 'healthtrust.doctor.favourites'
/** Patients the doctor keeps at hand. Only pseudonyms are stored; names come from what the patient opened. */
export const favourites = reactive(new Set<Hex>(JSON.parse(localStorage.getItem(FAVOURITES) ?? '[]') as Hex[]))

export function toggleFavourite(subject: Hex): void {
  if (!favourites.delete(subject)) favourites.add(subject)
  localStorage.setItem(FAVOURITES, JSON.stringify([...favourites]))
}

let news: AbortController | null = null
export const session = new Session(IDLE_MS, () => {
  state.unlocked = false
  news?.abort()
  released.clear()
  Object.assign(view, { listed: null, selected: null })
  Object.assign(lists, { requests: [], consents: [], emergencies: [], loaded: false })
  clearInterval(lookingAgain)
  state.patient = null
  state.labels.clear()
  void platform.signOut()
})
platform.client.onUnauthorised = () => session.lock()
for (const event of ['pointerdown', 'keydown']) addEventListener(event, () => session.touch(), { passive: true })
addEventListener('pagehide', () => session.lock())

/** Opens the key file, logs in, listens for answers. */
export async function open(file: KeyFile, passphrase: string, onProgress: (share: number) => void): Promise<void> {
  const key = await unlockKey(file, passphrase, onProgress)
  await platform.signIn(file.keyid, key)
  session.open(key)
  store.save(file)
  state.file = file
  await Promise.all([platform.loadOrganisations(), platform.loadDocumentTypes(), platform.learnRoles()])
  for (const o of platform.organisations.values()) state.names.set(o.id, o.name ?? '')
  state.unlocked = true
  await refresh()
  news = new AbortController()
  void platform.news(() => void refresh(), news.signal)
  lookingAgain = setInterval(() => void lookForEmergencies().catch(() => undefined), LOOK_AGAIN_MS)
}

async function lookForEmergencies(): Promise<void> {
  if (document.hidden) return
  const seen = (emergencies: StaffEmergency[]): string => emergencies.map((e) => `${e.id} ${e.state}`).join()
  if (seen(await platform.emergencies()) !== seen(lists.emergencies)) await refresh()
}

/** Fetches requests and consents again; opens the chosen patient's record as soon as it may be read. */
export async function refresh(): Promise<void> {
  const [requests, given, emergencies] = await Promise.all([platform.requests(), platform.consents(), platform.emergencies()])
  const consents = [...emergencies.flatMap((e) => asConsent(e) ?? []), ...given]
  Object.assign(lists, { requests, consents, emergencies, loaded: true })
  const consent = current.value
  if (consent?.consent !== shownConsent) await openRecord()
}

const inForce = (c: ReceivedConsent): boolean => c.status === 'active' && c.period.end > now()
/** Consents of a patient that hold now, newest first. */
export const consentsOf = (subject: Hex | null): ReceivedConsent[] =>
  lists.consents.filter((c) => c.subject === subject && inForce(c))
export const current = computed(() => consentsOf(state.patient)[0] ?? null)
/** What this person began for the chosen patient and nobody has reviewed or let lapse. */
export const pendingEmergency = computed(
  () =>
    lists.emergencies.find(
      (e) => e.subject === state.patient && e.first === platform.id && ['waiting', 'confirmed'].includes(e.state),
    ) ?? null,
)
/** What colleagues wait for this person to confirm. */
export const toConfirm = computed(() => lists.emergencies.filter((e) => e.state === 'waiting' && e.first !== platform.id))
/** Signed by this person as the second, not on the ledger yet. */
export const toOpen = computed(() => lists.emergencies.filter((e) => e.state === 'confirmed' && e.second === platform.id))
export const lastRequest = computed(() => lists.requests.find((r) => r.subject === state.patient) ?? null)
let shownConsent: Hex | undefined

export function choose(subject: Hex): void {
  state.patient = subject
  void openRecord()
}

export const purposeOf = (c: ReceivedConsent): string => c.scope?.purposes[0] ?? 'TREAT'

/** Lists what the consent in force opens. */
export async function openRecord(): Promise<void> {
  const consent = current.value
  shownConsent = consent?.consent
  released.clear()
  Object.assign(view, { listed: null, selected: null, listing: consent !== null })
  if (!consent) return
  try {
    const listed = await platform.list(consent, purposeOf(consent))
    if (shownConsent !== consent.consent) return
    // A summary that cannot be read shows up where the records are read; the desk only goes without the name.
    await learnName(listed, consent).catch(() => undefined)
    view.listed = listed
  } catch (e) {
    state.problem = explain(e)
  } finally {
    view.listing = false
  }
}

/** Where the patient opened the summary, the desk calls them by name. */
async function learnName({ entries }: ListedAll, consent: ReceivedConsent): Promise<void> {
  const summary = entries.find((e) => e.category === 'summary')
  if (!summary) return
  const found = await platform.read(summary, consent, purposeOf(consent))
  const n = platform.documentTypes.get(found.schema)?.elements.find((e) => e.id === 'name')?.n
  const name = n && found.disclosure.values[String(n)]
  if (typeof name === 'string') state.labels.set(consent.subject, name)
  released.set(found.record, found)
}

export function label(subject: Hex): string {
  return state.labels.get(subject) ?? t('patients.short', { id: shortId(subject) })
}

export function nameOf(id: string): string {
  const known = state.names.get(id)
  if (known !== undefined) return known || shortId(id)
  state.names.set(id, '')
  platform
    .person(id as Hex)
    .then((p) => state.names.set(id, p.name))
    .catch(() => undefined)
  return shortId(id)
}

/** What went wrong, in words one can act on. */
export function explain(error: unknown): string {
  if (error instanceof WrongPassphrase) return t('problem.wrongPassphrase')
  if (error instanceof Refused) return t('problem.ledger', { detail: error.message })
  if (error instanceof Problem && error.code === 'other_address') return t('login.address', { address: error.message })
  if (error instanceof Problem && error.status === 0) return t('problem.noAnswer')
  if (error instanceof Problem && error.status === 401) return state.unlocked ? t('problem.session') : t('login.notRegistered')
  return t('problem.unexpected', { detail: error instanceof Error ? error.message : String(error) })
}

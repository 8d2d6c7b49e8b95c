/**
 * The one place that talks HTTP; `client.ts` adds the gateway's types. Every refusal becomes a {@link Problem}; reads are tried again once when the network stumbles, writes carry
 * an Idempotency-Key and are tried again with the same one.
 */
import { bareHex, utf8 } from './bytes'
import { canonical, type Json } from './canonical'
import { randomBytes } from './crypto'
import { freshValidity, signedHeaders, type Signer } from './httpsig'

/** RFC 9457 problem, or what stands for one when no answer came. `status` 0: no answer at all. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly params: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

export interface Call {
  /** A list repeats the name. */
  query?: Record<string, string | number | boolean | string[] | null | undefined>
  body?: unknown
  /** Signs this request (RFC 9421) instead of using the session. */
  signer?: Signer
  /** Kept by the caller over its own retries; a fresh one otherwise. */
  idempotencyKey?: string
  timeoutMs?: number
}

export interface StreamEvent {
  id: string
  event: string
  data: string
}

const TIMEOUT_MS = 20_000
const RETRY_AFTER_MS = 800
/** Pause after “too many requests”: what the gateway asks for. */
const BUSY_MS = 5_000
const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
/** Refusals come in the language the page is shown in. */
const pageLanguage = (): string => document.documentElement.lang || 'zh-CN'
export const freshIdempotencyKey = (): string => bareHex(randomBytes(16))

function target(base: string, path: string, query: Call['query']): string {
  const url = new URL(path.replace(/^\//, ''), base.endsWith('/') ? base : `${base}/`)
  for (const [name, value] of Object.entries(query ?? {}))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== '') url.searchParams.append(name, String(one))
  return url.toString()
}

export class Http {
  token: string | null = null
  /** Server time − own time, seconds: phones have wrong clocks, signatures must not fail for it. */
  skew = 0
  /** Called when the session has ended. */
  onUnauthorised: () => void = () => undefined

  /** `base`: absolute URL that paths are resolved against, as the server knows itself (it is part of every signature). */
  constructor(readonly base: string) {}

  async call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const key = method === 'GET' ? undefined : (call.idempotencyKey ?? freshIdempotencyKey())
    try {
      return await this.once<T>(method, path, call, key)
    } catch (problem) {
      const passing = problem instanceof Problem && [0, 429, 503].includes(problem.status)
      if (!passing) throw problem
      await wait(problem.status === 429 ? BUSY_MS : RETRY_AFTER_MS)
      return this.once<T>(method, path, call, key)
    }
  }

  private async once<T>(method: string, path: string, call: Call, key: string | undefined): Promise<T> {
    const url = target(this.base, path, call.query)
    const body = call.body === undefined ? null : utf8(canonical(call.body as Json))
    const headers = this.headers(method, url, body, call, key)
    const signal = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS)
    const response = await fetch(url, { method, headers, body, signal, credentials: 'omit', cache: 'no-store' }).catch(() => {
      throw new Problem(0, 'no_answer', 'no answer')
    })
    this.learnClock(response)
    if (!response.ok) throw await this.problem(response, call)
    return (response.status === 204 ? undefined : await response.json()) as T
  }

  private headers(
    method: string,
    url: string,
    body: Uint8Array<ArrayBuffer> | null,
    call: Call,
    key: string | undefined,
  ): Record<string, string> {
    const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': pageLanguage() }
    if (body) headers['Content-Type'] = 'application/json'
    if (key) headers['Idempotency-Key'] = key
    if (call.signer) return { ...headers, ...signedHeaders(method, url, body, call.signer, freshValidity(this.skew)) }
    if (this.token) headers['Authorization'] = `Bearer ${this.token}`
    return headers
  }

  private learnClock(response: Response): void {
    const date = response.headers.get('Date')
    if (!date) return
    const skew = Math.round((Date.parse(date) - Date.now()) / 1000)
    this.skew = Math.abs(skew) > 5 ? skew : 0
  }

  private async problem(response: Response, call: Call): Promise<Problem> {
    const doc = (await response.json().catch(() => ({}))) as {
      code?: string
      title?: string
      detail?: string
      params?: Record<string, unknown>
    }
    if (response.status === 401 && !call.signer && this.token) this.onUnauthorised()
    return new Problem(
      response.status,
      doc.code ?? `http_${response.status}`,
      doc.detail ?? doc.title ?? response.statusText,
      doc.params ?? {},
    )
  }

  /** Server-sent events until `signal` aborts; connects again by itself and goes on after the last id. */
  async stream(
    path: string,
    onEvent: (event: StreamEvent) => void,
    signal: AbortSignal,
    query: Call['query'] = {},
  ): Promise<void> {
    let last = ''
    for (let pause = 500; !signal.aborted; pause = Math.min(pause * 2, 15_000)) {
      try {
        await this.listen(target(this.base, path, query), last, signal, (event) => {
          last = event.id || last
          pause = 500
          onEvent(event)
        })
      } catch {
        if (signal.aborted) return
      }
      await wait(pause)
    }
  }

  private async listen(url: string, last: string, signal: AbortSignal, onEvent: (event: StreamEvent) => void): Promise<void> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (this.token) headers['Authorization'] = `Bearer ${this.token}`
    if (last) headers['Last-Event-ID'] = last
    const response = await fetch(url, { headers, signal, credentials: 'omit', cache: 'no-store' })
    if (!response.ok || !response.body) throw new Problem(response.status, 'stream', response.statusText)
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (let buffer = ''; ;) {
      const { value, done } = await reader.read()
      if (done) return
      const blocks = (buffer + value).replaceAll('\r\n', '\n').split('\n\n')
      buffer = blocks.pop()!
      for (const block of blocks) emit(block, onEvent)
    }
  }
}

function emit(block: string, onEvent: (event: StreamEvent) => void): void {
  const found: StreamEvent = { id: '', event: 'message', data: '' }
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (name === 'data') data.push(value!)
    if (name === 'id' || name === 'event') found[name] = value!
  }
  if (data.length) onEvent({ ...found, data: data.join('\n') })
}

import { afterEach, expect, it, vi } from 'vitest'
import { Client } from '../src/client'
import { Http, Problem, type StreamEvent } from '../src/http'

vi.stubGlobal('document', { documentElement: { lang: 'zh-CN' } })
afterEach(() => vi.restoreAllMocks())

const answering = (...answers: (Response | Error)[]) =>
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => {
    const next = answers.shift()!
    if (next instanceof Error) throw next
    return next
  })
const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers })

it('tries a stumbling write again under the same key, and only then', async () => {
  const fetched = answering(new TypeError('network'), json({ id: 1 }))
  expect(await new Http('http://gateway.test/api/v1').call('POST', 'consents', { body: { a: 1 } })).toEqual({ id: 1 })
  const keys = fetched.mock.calls.map(([, init]) => (init!.headers as Record<string, string>)['Idempotency-Key'])
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
  expect(new Set(keys).size).toBe(1)
  fetched.mockRestore()
  const refused = answering(json({ code: 'bad_signature', detail: '签名无效' }, 422))
  await expect(new Http('http://gateway.test').call('POST', 'consents', { body: {} })).rejects.toMatchObject({
    status: 422,
    code: 'bad_signature',
    message: '签名无效',
  })
  expect(refused).toHaveBeenCalledTimes(1)
})

it('fills in the path and asks below /api/v1', async () => {
  const fetched = answering(json({ nonce: 4 }))
  const subject = `0x${'ab'.repeat(32)}` as const
  await new Client('http://gateway.test').get('identities/{subject}/key', { parts: { subject } })
  expect(fetched.mock.calls[0]![0]).toBe(`http://gateway.test/api/v1/identities/${subject}/key`)
})

it('says when there is no answer at all', async () => {
  answering(new TypeError('network'), new TypeError('network'))
  const problem = await new Client('http://gateway.test').get('health').catch((e: unknown) => e)
  expect(problem).toBeInstanceOf(Problem)
  expect((problem as Problem).status).toBe(0)
})

it('signs by the server’s clock where the phone’s is wrong', async () => {
  answering(json({}, 200, { Date: new Date(Date.now() + 3_600_000).toUTCString() }))
  const client = new Client('http://gateway.test')
  await client.get('health')
  expect(Math.abs(client.skew - 3600)).toBeLessThan(3)
})

it('reads events cut anywhere and goes on after the last one', async () => {
  const stop = new AbortController()
  const parts = ['id: 7\r\nevent: acc', 'ess-request\r\ndata: {"a"', ':1}\r\n\r\n: ping\r\n\r\nid: 8\r\ndata: x\r\n\r\n']
  const stream = (chunks: string[]): Response =>
    new Response(new ReadableStream({ start: (c) => (chunks.forEach((p) => c.enqueue(new TextEncoder().encode(p))), c.close()) }))
  const fetched = answering(stream(parts), stream([]))
  const seen: StreamEvent[] = []
  const client = new Client('http://gateway.test')
  const listening = client.stream('notices/stream', (event) => seen.push(event), stop.signal)
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(2), 3000)
  stop.abort()
  await listening
  expect(seen).toEqual([
    { id: '7', event: 'access-request', data: '{"a":1}' },
    { id: '8', event: 'message', data: 'x' },
  ])
  expect((fetched.mock.calls[1]![1]!.headers as Record<string, string>)['Last-Event-ID']).toBe('8')
})

/** The gateway's REST with the types of its own OpenAPI document (`api.ts`, made by tools/openapi.sh): a path, a member or an answer that the gateway does not know does not compile. */
import type { components, paths } from './api'
import { Http, type Call } from './http'

export type Schemas = components['schemas']
/** A type of the gateway with members told more exactly than OpenAPI says them; a member it does not have makes it `never`. */
export type Told<T, N extends object> = Exclude<keyof N, keyof T> extends never ? Omit<T, keyof N> & N : never

const PREFIX = '/api/v1'
type Method = 'get' | 'post' | 'delete'
type Short<P, M extends Method> = P extends `/api/v1/${infer S}` ? (P extends keyof paths ? Has<paths[P], M, S> : never) : never
type Has<Item, M extends Method, S> = M extends keyof Item ? (Item[M] extends { responses: unknown } ? S : never) : never
/** A path of the gateway, without `/api/v1/`, that takes this method. */
export type Path<M extends Method> = Short<keyof paths, M>
type Operation<S extends string, M extends Method> = `/api/v1/${S}` extends infer P extends keyof paths ? paths[P][M] : never

type Content<R> = R extends { content: { 'application/json': infer Body } } ? Body : undefined
/** What a route answers when it went well. */
export type Answer<S extends string, M extends Method> =
  Operation<S, M> extends { responses: infer R } ? Content<R[keyof R & (200 | 201 | 202 | 204)]> : never
/** What a route is sent. */
export type Body<S extends string, M extends Method> =
  Operation<S, M> extends { requestBody: { content: { 'application/json': infer B } } } ? B : undefined
type Parts<S extends string, M extends Method> =
  Operation<S, M> extends { parameters: { path: infer P extends object } } ? { parts: P } : { parts?: undefined }
type Query<S extends string, M extends Method> =
  Operation<S, M> extends { parameters: { query?: infer Q extends object } } ? { query?: Q } : { query?: undefined }
/** `parts`: what stands in the braces of the path. */
type Options<S extends string, M extends Method> = Omit<Call, 'query' | 'body'> & Parts<S, M> & Query<S, M>
type Given<O> = object extends O ? [options?: O] : [options: O]

interface Filled {
  parts?: object | undefined
  query?: object | undefined
}

const fill = (path: string, parts: object = {}): string =>
  Object.entries(parts).reduce((made, [name, value]) => made.replace(`{${name}}`, encodeURIComponent(String(value))), path)

export class Client extends Http {
  /** `origin`: of the gateway, as it knows itself. */
  constructor(origin: string) {
    super(`${origin}${PREFIX}`)
  }

  get = <S extends Path<'get'>>(path: S, ...[options]: Given<Options<S, 'get'>>): Promise<Answer<S, 'get'>> =>
    this.typed('GET', path, options)
  post = <S extends Path<'post'>>(
    path: S,
    body: Body<S, 'post'>,
    ...[options]: Given<Options<S, 'post'>>
  ): Promise<Answer<S, 'post'>> => this.typed('POST', path, options, body)
  delete = <S extends Path<'delete'>>(path: S, ...[options]: Given<Options<S, 'delete'>>): Promise<Answer<S, 'delete'>> =>
    this.typed('DELETE', path, options)

  private typed<T>(
    method: string,
    path: string,
    options: (Filled & Omit<Call, 'query'>) | undefined,
    body?: unknown,
  ): Promise<T> {
    const { parts, query, ...rest } = options ?? {}
    return this.call<T>(method, fill(path, parts), { ...rest, query: query as Call['query'], body })
  }
}

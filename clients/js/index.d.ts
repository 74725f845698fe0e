// The types of the browser client. What each thing does is told in docs/browser.md.
// SPDX-License-Identifier: MIT

/** A cursor: opaque, sorts as text, good at every door. `-1` is the start, `now` the end. */
export type Offset = string

export type Door = 'websocket' | 'sse' | 'long-poll'

export type ErrorCode =
  | 'bad_request' | 'unauthorized' | 'forbidden' | 'not_found' | 'conflict' | 'gone' | 'too_large' | 'wrong_type'
  | 'too_many' | 'unavailable' // the server said so, by status
  | 'refused' | 'failed' // another status below 500, or from it on
  | 'closed' // the stream takes no more messages
  | 'deleted' // it is there no more
  | 'offline' // nothing answers
  | 'blocked' // this door does not work here
  | 'busy' // too many messages wait to be published
  | 'stopped' // Stream.close() was called

export class DuplexError extends Error {
  constructor(code: ErrorCode, more?: Partial<DuplexError>)
  readonly name: 'DuplexError'
  readonly code: ErrorCode
  /** Of HTTP; 0 if there was none. */
  readonly status: number
  readonly title: string
  readonly detail: string
  /** How long the server asks to wait. */
  readonly retry_ms?: number
  /** With `gone`: where what is retained begins, and ends. */
  readonly earliest?: Offset
  readonly latest?: Offset
  /** Trying the same again is of no use. */
  readonly permanent: boolean
}

/** What one may publish, and is given: bytes of a binary stream, text of a text stream, any JSON of a JSON stream. */
export type Data = Uint8Array | string | number | boolean | null | object

export interface StreamOptions {
  /** A WebSocket class, where the platform has none. */
  WebSocket?: new (url: string, protocols: string[]) => any
  fetch?: (url: URL, init: RequestInit) => Promise<Response>
  /** Who this is: sent as a bearer token, asked for anew for each connection if it is a function. */
  token?: string | (() => string | Promise<string>)
  /** More fields for requests by HTTP. */
  headers?: Record<string, string>
  /** The stream's content type, if it is known; else it is found out. */
  type?: string
  /** Which doors to try, in this order. */
  doors?: Door[]
  /** A first pause before coming back is at most so long (1000); each one may be twice as long as the last. */
  retry_ms?: number
  /** But not longer than this (30000). */
  retry_max_ms?: number
  /** A connection that is silent for so long is given up (30000). */
  silence_ms?: number
  /** Messages that may wait to be acknowledged (1000). */
  queue_max?: number
}

export interface Info {
  type?: string
  /** The end of the stream. */
  offset: Offset
  closed: boolean
}

export interface Published {
  /** The cursor behind the message; missing where an acknowledgement was lost, and the message found to be there. */
  offset?: Offset
  duplicate?: true
}

export interface Gap {
  requested: Offset
  earliest: Offset
  /** How many messages are missing; null if that is not known. */
  lost: number | null
}

export type State =
  | 'connecting' | 'catching_up' | 'live' | 'waiting' // for a while
  | 'closed' | 'deleted' | 'refused' | 'stopped' // for good

export interface StateInfo {
  door?: Door
  /** Of `waiting`, `refused` and `deleted`. */
  error?: DuplexError
  /** Of `waiting`: until it is tried again. */
  retry_ms?: number
}

export interface Message {
  /** The cursor behind it. Missing within a batch, by long-poll or of `last`, but on its last message. */
  offset?: Offset
}

export interface SubscribeOptions {
  /** Where to begin: a cursor, `-1`, or `now` (the default). */
  offset?: Offset
  /** Begin with the last so many messages instead. */
  last?: number
  onstate?: (state: State, info: StateInfo) => void
  /** Messages are not retained any more; it goes on behind them. */
  ongap?: (gap: Gap) => void
}

export interface Subscription {
  /** Behind the last message that was given. */
  readonly offset: Offset
  readonly state: State
  close(): void
}

export interface Member<D = any> {
  id: string
  data: D
}

export interface Presence<D = any> {
  /** Everybody who is there, by id. */
  members: Map<string, D>
  count: number
  /** Who came, or says something new about himself. */
  join: Member<D>[]
  /** The ids of those who left. */
  leave: string[]
}

export interface PresenceOptions<D = any> {
  /** What others are to see of this one: JSON of up to 1 KiB. */
  data?: D
  /** Who this one is; made if it is not given. */
  id?: string
  onerror?: (error: DuplexError) => void
}

export interface Present<D = any> {
  readonly id: string
  update(data: D): void
  /** Leaves. */
  close(): void
}

export class Stream<T = any> {
  constructor(url: string | URL, options?: StreamOptions)
  readonly url: string
  info(): Promise<Info>
  /** Makes the stream, where its prefix asks for that; it may be there. Of JSON, if no type is given. */
  create(type?: string): Promise<void>
  /** The last n messages (of a stream that is not JSON: their bytes in a row), and the cursor behind them. */
  last(n?: number): Promise<T[] & Info>
  /** All from a cursor to the end, page by page; `offset` is behind the last page that was read. */
  history(offset?: Offset): AsyncIterable<T> & { readonly offset: Offset }
  subscribe(fn: (value: T, message: Message) => void, options?: SubscribeOptions): Subscription
  /** Resolves when the message is as safe as the stream promises; sent again, without doubling, until then. */
  publish(data: T & Data): Promise<Published>
  /** Joins, and tells who is there. */
  presence<D = any>(fn: (presence: Presence<D>) => void, options?: PresenceOptions<D>): Present<D>
  /** Ends all of the above. */
  close(): void
}

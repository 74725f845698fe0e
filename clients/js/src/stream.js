// A stream as a page sees it.
// SPDX-License-Identifier: MIT
import { DuplexError } from './values.js'
import { Line } from './line.js'
import { Presence } from './presence.js'

export { DuplexError }

export class Stream {
  #line

  constructor(url, options) {
    this.#line = new Line(url, {
      WebSocket: globalThis.WebSocket, fetch: (...args) => fetch(...args),
      doors: ['websocket', 'sse', 'long-poll'],
      retry_ms: 1000, retry_max_ms: 30000, silence_ms: 30000, queue_max: 1000, ...options,
    })
  }

  get url() {
    return this.#line._http._url.href
  }

  info() {
    return this.#line._http._info()
  }

  create(type) {
    return this.#line._http._create(type)
  }

  last(n = 1) {
    return this.#line._http._read({ last: n })
  }

  history(offset = '-1') {
    return this.#line._http._history(offset)
  }

  publish(data) {
    return this.#line._outbox._publish(data)
  }

  subscribe(fn, options = {}) {
    return this.#line._open._readers._add(fn, options)
  }

  presence(fn, options) {
    const line = this.#line._open
    line._present = new Presence(line, fn, options)
    if (line._isRunning) line._relink()
    line._run()
    return line._present
  }

  close() {
    this.#line._stop()
  }
}

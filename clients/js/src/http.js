// One stream by HTTP: requests, their errors, what has happened.
// Is not: waiting for more (doors.js, websocket.js), publishing (outbox.js).
// SPDX-License-Identifier: MIT
import { DuplexError, decode, failed, isJson, offline } from './values.js'

const off = (error) => {
  throw error instanceof DuplexError ? error : offline(String(error?.cause?.message ?? error))
}

export class Http {
  constructor(url, options) {
    this._url = new URL(url, globalThis.location?.href)
    this._url.protocol = this._url.protocol.replace(/^ws/, 'http')
    this._options = options
    this._type = options.type // once it is known; what the server said is agreed
  }

  async _token() {
    const { token } = this._options
    return typeof token === 'function' ? token() : token
  }

  _address(query) {
    const url = new URL(this._url)
    for (const name in query) if (query[name] !== undefined) url.searchParams.set(name, query[name])
    return url
  }

  async _fetch(query, { headers, ...init } = {}) {
    const token = await this._token()
    const answer = await this._options.fetch(this._address(query), {
      signal: AbortSignal.timeout(30000), ...init,
      headers: { ...(token && { Authorization: `Bearer ${token}` }), ...this._options.headers, ...headers },
    }).catch(off)
    if (answer.ok) return answer
    const { type, ...problem } = await answer.json().catch(() => ({}))
    const of = (name) => answer.headers.get(name) ?? undefined
    throw failed(answer.status, {
      title: answer.statusText, ...problem, ...(of('Stream-Closed') && { code: 'closed' }),
      retry_ms: of('Retry-After') * 1000 || 0, expected: of('Producer-Expected-Seq'),
    })
  }

  _meta({ headers }) {
    return {
      type: headers.get('Content-Type') ?? undefined,
      offset: headers.get('Stream-Next-Offset'),
      closed: headers.has('Stream-Closed'),
      _isUpToDate: headers.has('Stream-Up-To-Date'),
    }
  }

  _agree(type) {
    this._isAgreed = true
    return (this._type = type)
  }

  async _info() {
    const { type, offset, closed } = this._meta(await this._fetch({}, { method: 'HEAD' }))
    this._agree(type)
    return { type, offset, closed }
  }

  async _create(type = this._type ?? 'application/json') {
    await this._fetch({}, { method: 'PUT', headers: { 'Content-Type': type } })
    this._agree(type)
  }

  // What one answer holds: of a JSON stream a value for each message, of any other its bytes in a row.
  async _values(answer) {
    const meta = this._meta(answer)
    const bytes = new Uint8Array(await answer.arrayBuffer().catch(off))
    const type = this._agree(meta.type)
    return Object.assign(isJson(type) ? decode(type, bytes) : bytes.length ? [decode(type, bytes)] : [], meta)
  }

  async _read(query) {
    return this._values(await this._fetch(query))
  }

  _history(offset) {
    const read = (from) => this._read({ offset: from })
    return {
      offset, // behind the last page that was read to its end
      async *[Symbol.asyncIterator]() {
        for (let page = {}; !page._isUpToDate; this.offset = page.offset)
          yield* page = await read(this.offset)
      },
    }
  }
}

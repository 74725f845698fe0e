// The one connection of a stream: which door, when to come back, what is for good.
// SPDX-License-Identifier: MIT
import { DuplexError, offline } from './values.js'
import { Http } from './http.js'
import { Outbox } from './outbox.js'
import { Readers } from './readers.js'
import { byWebSocket } from './websocket.js'
import { byPoll, bySse, guard } from './doors.js'

const ways = { websocket: byWebSocket, sse: bySse, 'long-poll': byPoll }

// Whether anybody looks, and what says that it is worth to try again at once (both reach the window).
const isHidden = () => globalThis.document?.visibilityState === 'hidden'
const hear = (verb, fn) =>
  ['online', 'visibilitychange'].forEach((event) => globalThis[`${verb}EventListener`]?.(event, fn))

export class Line {
  _door = 0
  _again = 0 // when to try the first door again
  _blocked = 0 // WebSockets in a row that did not open
  _hasOpened // one did
  _wasLive
  _isRunning
  _isStopped
  _timers = {}

  constructor(url, options) {
    this._options = options
    this._doors = options.doors.filter((door) => door !== 'websocket' || options.WebSocket)
    this._http = new Http(url, options)
    this._readers = new Readers(this)
    this._outbox = new Outbox(this)
  }

  get _isByWebSocket() {
    return this._doors[this._door] === 'websocket'
  }

  get _isReading() {
    return this._readers._all.size || this._present
  }

  get _isWanted() {
    return !this._isStopped && (this._isReading || (this._isByWebSocket && this._outbox._wantsSocket))
  }

  // This line, if it was not stopped.
  get _open() {
    if (this._isStopped) throw new DuplexError('stopped')
    return this
  }

  // Begins anew, at once.
  _relink() {
    this._lap?.abort()
    this._wake?.()
  }

  // One timer of each name.
  _later(name, ms, fn) {
    clearTimeout(this._timers[name])
    this._timers[name] = setTimeout(fn, ms)
  }

  _stop() {
    this._isStopped = true
    this._present = undefined
    this._readers._finish('stopped')
    for (const { reject } of this._outbox._waiting.splice(0)) reject(new DuplexError('stopped'))
    Object.values(this._timers).forEach(clearTimeout)
    this._relink()
  }

  // Full jitter; what the server says comes first. Who is not looked at comes back more rarely.
  _delay(fails, { after_ms, retry_ms = 0 }) {
    const { retry_ms: first, retry_max_ms: most } = this._options
    return after_ms ?? retry_ms + Math.random() * (isHidden() ? most : Math.min(most, first * 2 ** fails))
  }

  async _run() {
    if (this._isRunning || !this._isWanted) return
    this._isRunning = true
    const hurry = () => {
      if (isHidden()) return
      this._wake?.()
      this._probe?.()
    }
    hear('add', hurry)
    for (let fails = 0; this._isWanted;) {
      const began = Date.now()
      const error = await this._connect()
      if (Date.now() - began > 5000) fails = 0
      if (error && !this._judge(error)) await this._pause(this._delay(fails++, error), error)
    }
    hear('remove', hurry)
    this._isRunning = false
    this._outbox._flush()
  }

  // One connection, from its beginning to what ended it; nothing where that was wanted.
  async _connect() {
    const lap = (this._lap = new AbortController())
    const left = this._again - Date.now()
    if (left <= 0) this._door = 0
    const door = this._doors[this._door]
    const timers = this._door ? [setTimeout(() => lap.abort(), left)] : []
    this._readers._tell('connecting', { door })
    let error
    try {
      await this._readers._prepare()
      if (!this._isByWebSocket) timers.push(setInterval(() => this._present?._list(), 10000), this._present?._list())
      if (!lap.signal.aborted) error = await ways[door](this, lap)
    } catch (e) {
      error = e instanceof DuplexError ? e : offline(String(e))
    }
    timers.forEach(clearTimeout)
    guard(lap)
    this._readers._at = ''
    const { aborted, reason } = lap.signal
    lap.abort() // what is still under way
    return aborted ? reason.code && reason instanceof DuplexError && reason : error
  }

  // True: there is nothing to wait for.
  _judge(error) {
    const { code } = error
    const isGone = (code === 'gone' && !error.earliest) || (code === 'not_found' && this._wasLive)
    if (code === 'closed') this._finish('closed')
    else if (isGone || code === 'deleted') this._finish('deleted', new DuplexError('deleted', error))
    else if (error.permanent) this._finish('refused', error)
    else if (code !== 'blocked') return false
    else if (this._isByWebSocket && this._hasOpened && ++this._blocked < 3) return false // it was open before
    else {
      this._again = Date.now() + 60000 * Math.min(++this._blocked, 30)
      this._door = (this._door + 1) % this._doors.length
      this._outbox._flush()
      return this._door > 0
    }
    return true
  }

  _finish(state, error) {
    if (error) this._present?._fail(error)
    this._present = undefined
    this._readers._finish(state, error)
  }

  async _pause(ms, error) {
    this._readers._tell('waiting', { error, retry_ms: ms })
    await new Promise((resolve) => {
      this._wake = resolve
      this._later('pause', ms, resolve)
    })
    this._wake = undefined
  }
}

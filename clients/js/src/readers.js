// Who listens to a stream, and how far each one is.
// SPDX-License-Identifier: MIT
import { call } from './values.js'

// `offset` is behind the last message that it was given.
class Subscription {
  constructor(fn, { offset = 'now', last, onstate, ongap }, close) {
    Object.assign(this, { _fn: fn, offset, _last: last, _onstate: onstate, _ongap: ongap, close, state: '' })
  }

  _enter(state, info = {}) {
    if (state === this.state && state !== 'waiting') return
    this.state = state
    if (this._onstate) call(this._onstate, state, info)
    else if (info.isFinal && info.error) setTimeout(() => { throw info.error }) // nothing fails in silence
  }
}

export class Readers {
  _all = new Set()
  _at = '' // the cursor of the connection, once it is live

  constructor(line) {
    this._line = line
  }

  _add(fn, options) {
    const { _line: line, _at: at } = this
    const sub = new Subscription(fn, options, () => this._remove(sub))
    if (at && sub.offset === 'now' && !sub._last) sub.offset = at
    this._all.add(sub)
    if (at && sub.offset === at) sub._enter('live')
    else if (line._isRunning) line._relink()
    line._run()
    return sub
  }

  _remove(sub) {
    if (!this._all.delete(sub)) return
    sub._enter('stopped')
    if (!this._line._isWanted) this._line._relink()
  }

  _tell(state, info) {
    if (state === 'live') this._line._wasLive = true
    for (const sub of this._all) sub._enter(state, info)
  }

  // For all of them it is over.
  _finish(state, error) {
    const all = [...this._all]
    this._all.clear()
    for (const sub of all) sub._enter(state, { error, isFinal: true })
  }

  _give(offset, value) {
    if (this._at) this._at = offset
    for (const sub of this._all)
      if (sub.offset === 'now' || offset > sub.offset) {
        sub.offset = offset
        call(sub._fn, value, { offset })
      }
  }

  // All are at the same place, and get several at once; what is in between has no cursor.
  _batch(values, subs = [...this._all]) {
    for (const sub of subs)
      values.forEach((value, i) => {
        const offset = i + 1 < values.length ? undefined : (sub.offset = values.offset)
        if (this._all.has(sub)) call(sub._fn, value, { offset })
      })
  }

  // All are at `offset`, whether there were messages or not; the start is where who got none may begin again.
  _reach(offset, door, isLive) {
    if (isLive) this._at = offset
    for (const sub of this._all)
      if (sub.offset === 'now' || (sub.offset !== '-1' && offset > sub.offset)) sub.offset = offset
    this._tell(isLive ? 'live' : 'catching_up', { door })
  }

  // isOther: what is there has nothing to do with the cursors that were known.
  _gap(gap, isOther = gap.lost === null) {
    for (const sub of this._all)
      if (isOther || sub.offset === gap.requested || sub.offset < gap.earliest) {
        sub.offset = gap.earliest
        if (sub._ongap) call(sub._ongap, gap)
        else console.warn('Duplex: a gap', gap)
      }
  }

  // Where the connection is to begin: cursors sort as text, "-1" first, "now" last.
  get _oldest() {
    return [...this._all].map((sub) => sub.offset).sort()[0] ?? 'now'
  }

  // What HTTP must tell before it can begin: the last messages, and what "now" is if others begin elsewhere.
  async _prepare() {
    const http = this._line._http
    const none = (error) => {
      if (error.status !== 404) throw error
      return Object.assign([], { offset: '-1' }) // nobody has written to it
    }
    if (this._isPuzzled && !http._type) await http._info()
    for (const sub of this._all)
      if (sub._last) {
        const past = await http._read({ last: sub._last }).catch(none)
        sub._last = 0
        sub.offset = past.offset
        this._batch(past, [sub])
      }
    if (this._oldest === 'now') return
    for (const sub of this._all)
      if (sub.offset === 'now') sub.offset = (await http._info().catch(none)).offset
  }
}

// Messages to be published: in order, each once, whatever is lost on the way.
// Is:     a producer: messages are numbered within an epoch, and sent again under their number.
// Is not: the WebSocket that some go by (websocket.js).
// SPDX-License-Identifier: MIT
import { DuplexError, encode, isJson, isText, makeId, typeOf } from './values.js'

export class Outbox {
  _producer = makeId()
  _epoch = 0
  _base = 0 // the number of waiting[0] in its epoch
  _waiting = [] // not acknowledged: { data, resolve, reject }
  _sent = 0 // how many of these are under way on the WebSocket
  _unanswered = 0
  _isStalled // one was refused: nothing is sent until all under way are answered
  _isPosting
  _fails = 0
  _count = 0 // published, ever
  _largest = 16000 // beyond, it goes by POST: the server's WebSocket may take less

  constructor(line) {
    this._line = line
    this._http = line._http
  }

  _publish(data) {
    return new Promise((resolve, reject) => {
      const max = this._line._open._options.queue_max
      if (this._waiting.length >= max) throw new DuplexError('busy', { detail: `${max} wait` })
      if (encode('', data) === undefined) throw new TypeError('nothing to publish')
      this._waiting.push({ data, resolve, reject })
      if (this._count++) this._line._run() // the first goes by POST; a WebSocket pays for who goes on
      this._flush()
    })
  }

  // A WebSocket that only publishes stays for a while.
  get _wantsSocket() {
    return this._count > 1 && (this._waiting.length > 0 || this._isLingering)
  }

  // What waits goes by the WebSocket, if there is or will be one; else, and what that cannot take, by POST.
  _flush() {
    const { _line: line, _waiting: waiting } = this
    if (!waiting.length || this._isHeld || this._isStalled || this._isPosting) return
    const fits = ({ data }) => (data?.byteLength ?? JSON.stringify(data).length) < this._largest
    const { _isAgreed: isAgreed, _type: type } = this._http
    if (line._socket && isAgreed)
      while (this._sent < Math.min(waiting.length, 64) && fits(waiting[this._sent])) this._send(type)
    if (this._unanswered) return
    if (!isAgreed || !line._isRunning || !line._isByWebSocket || !fits(waiting[0])) this._post()
  }

  _send(type) {
    const id = `${this._epoch}.${this._base + this._sent}\n`
    const data = encode(type, this._waiting[this._sent].data)
    this._sent++
    this._unanswered++
    this._line._socket.send(typeof data === 'string' ? id + data : Uint8Array.of(...encode('', id), ...data))
  }

  // An answer on the WebSocket. What is refused there is put to HTTP, which says more: once all else that was
  // under way is answered. None of that was taken, for it was behind.
  _answered(id, result) {
    this._unanswered--
    if (!result) this._isStalled = true
    else if (id === `${this._epoch}.${this._base}`) {
      this._sent--
      this._taken(result)
    }
    if (!this._unanswered && this._isStalled) {
      this._cut()
      this._post()
    } else this._flush()
  }

  // The WebSocket is gone: what was under way is not known to be taken.
  _cut() {
    this._sent = this._unanswered = 0
    this._isStalled = false
  }

  _taken({ offset, duplicate }) {
    this._base++
    this._fails = 0
    this._waiting.shift().resolve(duplicate ? { duplicate } : { offset })
    if (this._waiting.length) return
    this._isLingering = true
    this._line._later('linger', 5000, () => {
      this._isLingering = false
      if (!this._line._isWanted) this._line._relink()
    })
  }

  async _post() {
    const { _http: http, _waiting: [message] } = this
    if (!message) return
    const isGuess = !http._type
    this._isPosting = true
    try {
      const type = http._type ?? typeOf(message.data)
      const data = encode(type, message.data)
      const isString = typeof data === 'string'
      const answer = await http._fetch({}, {
        method: 'POST',
        body: isJson(type) && isString ? `[${data}]` : data, // the server takes one array apart
        headers: {
          'Content-Type': isText(type) && !isString ? typeOf(data) : type, // it refuses that, and says so
          'Producer-Id': this._producer, 'Producer-Epoch': `${this._epoch}`, 'Producer-Seq': `${this._base}`,
        },
      })
      http._agree(type)
      const { offset } = http._meta(answer)
      if (message === this._waiting[0]) this._taken({ offset, duplicate: answer.status === 204 })
    } catch (error) {
      if (isGuess && error.code === 'conflict' && !error.expected) await http._info().catch(() => {})
      if (message === this._waiting[0] && !(isGuess && http._type)) this._notTaken(error)
    }
    this._isPosting = false
    this._flush()
  }

  // A number that was given and is known not to be taken ends its epoch: nothing that is still on its way in
  // that epoch can be taken any more.
  _notTaken(error) {
    if (error.permanent || !(error instanceof DuplexError)) {
      if (error.expected === undefined) this._waiting.shift().reject(error)
      this._epoch++
      this._base = 0
      return
    }
    this._isHeld = true
    this._line._later('hold', this._line._delay(this._fails++, error), () => {
      this._isHeld = false
      this._flush()
    })
  }
}

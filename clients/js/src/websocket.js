// The WebSocket door, duplex.v1: from opening one to what ended it.
// SPDX-License-Identifier: MIT
import { DuplexError, blocked, decode, failed, offline } from './values.js'

// Resolves with the error that ended it; without one where it was ended from here.
export async function byWebSocket(line, lap) {
  const { _http: http, _present: present, _isReading: reads } = line
  const url = http._address({
    ...(reads ? { offset: line._readers._oldest } : { read: 0 }),
    producer: line._outbox._producer, token: await http._token(),
    ...(present && { presence: JSON.stringify(present._data) ?? '', member: present.id }),
  })
  url.protocol = url.protocol.replace('http', 'ws')
  const socket = new line._options.WebSocket(url.href, ['duplex.v1'])
  const error = await new Promise((resolve) => attend(line, lap, socket, resolve))
  line._socket = line._probe = undefined
  line._outbox._cut()
  if (error?.code === 'blocked' && reads) // a page is not told why: HTTP says it
    await http._fetch({ offset: 'now', live: 'long-poll' }, { headers: { Prefer: 'wait=0' } })
  return error
}

function attend(line, lap, socket, resolve) {
  const { _http: http, _readers: readers, _outbox: outbox, _options: { silence_ms } } = line
  let heard = Date.now()
  let last = {} // what the server said about the end
  const end = (error) => {
    clearInterval(beat)
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
    resolve(error)
  }
  const ping = () => line._socket && socket.send('\n{"ping":0}')
  const beat = setInterval(() => {
    const silence = (Date.now() - heard) * (line._socket ? 1 : 3) // to open it has less time
    if (silence > silence_ms) end(line._socket ? offline('silence') : blocked('no WebSocket'))
    else if (silence > silence_ms / 2) ping()
  }, silence_ms / 6)

  const control = (frame) => {
    if (frame.ack) outbox._answered(frame.ack, frame)
    else if (frame.error) outbox._answered(frame.error)
    else if (frame.error === null) line._present?._fail(failed(frame.status, frame))
    else if (frame.gap) readers._gap(frame.gap)
    else if (frame.caught_up) readers._reach(frame.caught_up, 'websocket', true)
    else if (frame.closed) last = { code: 'closed' }
    else if (frame.reconnect) last = frame.reconnect
    else if (frame.count >= 0) line._present?._note(frame)
  }
  const closed = ({ code, reason }) => {
    if (last.code) return new DuplexError('closed')
    if (!line._socket) return blocked('no WebSocket')
    if (code === 1009) outbox._largest = 0
    if (code > 4400) return failed(code - 4000, { detail: reason, ...(code === 4404 && { code: 'deleted' }) })
    return offline(`closed with ${code} ${reason}`, last)
  }
  const take = (event) => {
    const { data } = event
    const isString = typeof data === 'string'
    if (data === undefined) end(closed(event))
    else if (data[0] === '\n') control(JSON.parse(data))
    else if (isString && !http._type) { // text or JSON? Once more from here, when that is known
      readers._isPuzzled = true
      end()
    } else {
      const all = isString ? data : new Uint8Array(data)
      const at = all.indexOf(isString ? '\n' : 10)
      readers._give(decode('text/', all.slice(0, at)), decode(http._type, all.slice(at + 1)))
    }
  }

  lap.signal.onabort = () => end()
  socket.binaryType = 'arraybuffer'
  socket.onclose = take
  socket.onerror = () => {} // onclose tells
  socket.onmessage = (event) => {
    heard = Date.now()
    take(event)
  }
  socket.onopen = () => {
    if (socket.protocol !== 'duplex.v1') return end(blocked('no stream'))
    heard = Date.now()
    line._socket = socket
    line._hasOpened = true
    line._blocked = 0
    line._probe = () => {
      heard = Math.min(heard, Date.now() - silence_ms / 2)
      ping()
    }
    readers._tell('catching_up', { door: 'websocket' })
    line._present?._list()
    outbox._flush()
  }
}

// The doors that are there where no WebSocket gets through: server-sent events, long-poll.
// SPDX-License-Identifier: MIT
import { DuplexError, blocked, decode, isJson, offline } from './values.js'

// Ends a lap in which nothing is heard for so long.
const guard = (lap, ms, error) => {
  clearTimeout(lap._timer)
  lap._timer = ms && setTimeout(() => lap.abort(error), ms)
}

export async function bySse(line, lap) {
  const { silence_ms } = line._options
  const none = blocked('no events')
  guard(lap, silence_ms / 3, none)
  const headers = { Accept: 'text/event-stream' }
  const answer = await line._http._fetch({ offset: line._readers._oldest }, { headers, signal: lap.signal, cache: 'no-store' })
  const isBase64 = answer.headers.get('Stream-SSE-Data-Encoding') === 'base64'
  const reader = answer.body.getReader()
  const text = new TextDecoder()
  for (let rest = '', heard; ; heard = true) {
    const { value, done } = await reader.read()
    if (done) return heard ? offline('the end') : none
    guard(lap, silence_ms * 2, offline('silence'))
    const events = (rest + text.decode(value, { stream: true })).split('\n\n')
    rest = events.pop()
    for (const event of events) await take(line, lap, event, isBase64)
  }
}

async function take({ _http: http, _readers: readers }, lap, text, isBase64) {
  const fields = {}
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\w+): ?([^]*)$/.exec(line) ?? []
    if (name) fields[name] = name in fields ? `${fields[name]}\n${value}` : value
  }
  const { event, id, data } = fields
  if (data === undefined) return
  if (!event && !http._type) await http._info()
  if (lap.signal.aborted) return
  if (event === 'closed') throw new DuplexError('closed')
  if (event === 'gap') readers._gap(JSON.parse(data))
  if (!event) {
    const all = isBase64 ? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) : data
    return readers._give(id, decode(http._type, all))
  }
  readers._reach(id, 'sse')
  readers._tell('live', { door: 'sse' })
}

// A batch has one cursor. Where each message needs its own they are asked for one by one.
export async function byPoll(line, lap) {
  const { _http: http, _readers: readers } = line
  for (let cursor; ;) {
    const offset = readers._oldest
    const isBatch = isJson(http._type) && [...readers._all].every((sub) => sub.offset === offset)
    guard(lap, line._options.silence_ms * 2, offline('silence'))
    const answer = await http._fetch(
      { offset, live: 'long-poll', cursor, limit: isBatch ? undefined : 1 },
      { signal: lap.signal, headers: readers._at ? {} : { Prefer: 'wait=0' } },
    ).catch((error) => {
      if (!error.earliest) throw error
      readers._gap({ requested: offset, earliest: error.earliest, lost: null }, false)
    })
    if (!answer) continue
    const values = answer.status === 200 ? await http._values(answer) : Object.assign([], http._meta(answer))
    if (lap.signal.aborted) return
    cursor = answer.headers.get('Stream-Cursor') ?? undefined
    if (values.length === 1) readers._give(values.offset, values[0])
    else readers._batch(values)
    readers._reach(values.offset, 'long-poll', values._isUpToDate)
    if (values.closed) throw new DuplexError('closed')
  }
}

export { guard }

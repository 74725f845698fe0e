// Duplex streams for browsers and Node: what has happened by HTTP, what happens next by WebSocket.
// Is:     one Stream per stream URL, and one WebSocket for all that is done with it; SSE and long-poll where no
//         WebSocket gets through; cursors, reconnecting, publishing that never doubles; every error by name.
// Is not: a store: what was not acknowledged when the page goes is gone.
// Source: docs/browser.md for how to use it, docs/streams.md for the doors.
// SPDX-License-Identifier: MIT

const names = {
  400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 410: 'gone',
  413: 'too_large', 415: 'wrong_type', 429: 'too_many', 503: 'unavailable',
}

// What went wrong, by name; `status` is that of HTTP, 0 where there was none.
export class DuplexError extends Error {
  constructor(code, more) {
    super(more?.detail || more?.title || code)
    Object.assign(this, { status: 0, title: '', detail: '' }, more, { name: 'DuplexError', code })
  }

  // Whether to try again is of no use.
  get permanent() {
    return this.code === 'deleted' || (this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429)
  }
}

const failed = (status, more) => new DuplexError(more?.code ?? names[status] ?? (status < 500 ? 'refused' : 'failed'), { ...more, status })
const offline = (detail, more) => new DuplexError('offline', { detail, ...more })
const isJson = (type) => /^application\/json\b|^[^;]*\+json\b/i.test(type)
const isText = (type) => /^text\//i.test(type)
const isBytes = (data) => ArrayBuffer.isView(data) || data instanceof ArrayBuffer
const makeId = () => [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join('')

// A callback's fault is its owner's: it is reported, and the others still get theirs.
const call = (fn, ...args) => {
  try {
    fn?.(...args)
  } catch (error) {
    setTimeout(() => { throw error })
  }
}

const decode = (type, data) => {
  if (isBytes(data)) return isJson(type) || isText(type) ? decode(type, new TextDecoder().decode(data)) : data
  return isJson(type) ? JSON.parse(data) : data
}

// A string, or a Uint8Array.
const encode = (type, data) => {
  if (isBytes(data)) return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (isJson(type) || typeof data !== 'string') return JSON.stringify(data)
  return isText(type) ? data : new TextEncoder().encode(data)
}

// What a stream becomes by its first message.
const typeOf = (data) => (isBytes(data) ? 'application/octet-stream' : typeof data === 'string' ? 'text/plain' : 'application/json')

// One listener: where it is, and what it wants to know. `offset` is behind the last message that it was given.
class Subscription {
  constructor(fn, { offset = 'now', last, onstate, ongap }, close) {
    Object.assign(this, { fn, offset, last, onstate, ongap, close, state: '' })
  }

  enter(state, info = {}) {
    if (state === this.state && state !== 'waiting') return
    this.state = state
    if (this.onstate) call(this.onstate, state, info)
    else if (info.isFinal && info.error) setTimeout(() => { throw info.error }) // nothing fails in silence
  }
}

export class Stream {
  #options
  #url
  #doors
  #door = 0
  #type // content type, once it is known
  #subs = new Set()
  #present // { fn, id, data, members, notes }
  #running = false
  #stopped = false
  #lap // AbortController of the connection
  #at // the cursor of the connection, once it is live
  #socket // while it is open
  #wasLive = false
  #refused = 0 // WebSockets in a row that did not open
  #again = 0 // when to try the first door again
  #probe // asks for a sign of life
  #hasOpened = false // one did
  #wake
  #outbox = [] // not acknowledged: { data, resolve, reject }
  #producer = makeId()
  #epoch = 0
  #base = 0 // the number of outbox[0] in its epoch
  #sent = 0 // how many of the outbox are under way on the WebSocket
  #unanswered = 0
  #stalled = false // one was refused: nothing is sent until all under way are answered
  #posting = false
  #hold // a timer: nothing is posted until then
  #postFails = 0
  #published = 0
  #linger // a timer: a WebSocket that only published stays until then
  #largest = 0 // beyond, a message goes by POST

  constructor(url, options = {}) {
    this.#url = new URL(url, globalThis.location?.href)
    this.#url.protocol = this.#url.protocol.replace(/^ws/, 'http')
    this.#options = {
      WebSocket: globalThis.WebSocket, fetch: (...args) => globalThis.fetch(...args), doors: ['websocket', 'sse', 'long-poll'],
      retry_ms: 1000, retry_max_ms: 30000, silence_ms: 30000, queue_max: 1000, ...options,
    }
    this.#doors = this.#options.doors.filter((door) => door !== 'websocket' || this.#options.WebSocket)
    this.#type = this.#options.type
  }

  get url() {
    return this.#url.href
  }

  // ---- HTTP ---------------------------------------------------------------------------------------

  async #token() {
    const { token } = this.#options
    return typeof token === 'function' ? token() : token
  }

  #address(query) {
    const url = new URL(this.#url)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    return url
  }

  async #fetch(query, { headers, ...init } = {}) {
    const { headers: more, fetch } = this.#options
    const token = await this.#token()
    const answer = await fetch(this.#address(query), {
      signal: AbortSignal.timeout(30000), ...init,
      headers: { ...(token && { Authorization: `Bearer ${token}` }), ...more, ...headers },
    }).catch((error) => { throw offline(String(error?.cause?.message ?? error?.message ?? error)) })
    if (answer.ok) return answer
    const { type, ...problem } = await answer.json().catch(() => ({}))
    const of = (name) => answer.headers.get(name) ?? undefined
    throw failed(answer.status, {
      title: answer.statusText, ...problem, ...(of('Stream-Closed') && { code: 'closed' }),
      retry_ms: (Number(of('Retry-After')) || 0) * 1000, expected: of('Producer-Expected-Seq'),
    })
  }

  #meta({ headers }) {
    return {
      type: headers.get('Content-Type') ?? undefined,
      offset: headers.get('Stream-Next-Offset'),
      closed: headers.has('Stream-Closed'),
    }
  }

  async info() {
    const meta = this.#meta(await this.#fetch({}, { method: 'HEAD' }))
    this.#type ??= meta.type
    return meta
  }

  async create({ type = this.#options.type ?? 'application/json', ttl, closed } = {}) {
    const headers = { 'Content-Type': type, ...(ttl && { 'Stream-TTL': `${ttl}` }), ...(closed && { 'Stream-Closed': 'true' }) }
    const { offset } = this.#meta(await this.#fetch({}, { method: 'PUT', headers }))
    this.#type = type
    return { type, offset, closed: Boolean(closed) }
  }

  // What one answer holds: of a JSON stream a value for each message, of any other its bytes in a row.
  async #values(answer) {
    const bytes = new Uint8Array(await answer.arrayBuffer().catch((error) => { throw offline(String(error)) }))
    this.#type = this.#meta(answer).type ?? this.#type
    return isJson(this.#type) ? decode(this.#type, bytes) : bytes.length ? [decode(this.#type, bytes)] : []
  }

  async last(n = 1) {
    const answer = await this.#fetch({ last: n })
    return Object.assign(await this.#values(answer), this.#meta(answer))
  }

  history(offset = '-1') {
    const page = async (from) => {
      const answer = await this.#fetch({ offset: from })
      return { values: await this.#values(answer), next: this.#meta(answer).offset, isLast: answer.headers.has('Stream-Up-To-Date') }
    }
    return {
      offset, // behind the last page that was read to its end
      async *[Symbol.asyncIterator]() {
        for (let isLast = false; !isLast;) {
          const read = await page(this.offset)
          yield* read.values
          this.offset = read.next
          isLast = read.isLast
        }
      },
    }
  }

  // ---- publishing ---------------------------------------------------------------------------------

  publish(data) {
    return new Promise((resolve, reject) => {
      if (this.#stopped) throw new DuplexError('stopped')
      if (this.#outbox.length >= this.#options.queue_max) throw new DuplexError('busy', { detail: 'too many messages wait' })
      if (encode('', data) === undefined) throw new TypeError('nothing to publish')
      this.#outbox.push({ data, resolve, reject })
      clearTimeout(this.#linger)
      this.#linger = undefined
      this.#flush()
    })
  }

  get #isByWebSocket() {
    return this.#doors[this.#door] === 'websocket'
  }

  // What waits goes by the WebSocket, if there is or will be one; else, and what that cannot take, by POST.
  #flush() {
    if (!this.#outbox.length || this.#hold || this.#stalled || this.#posting) return
    const fits = ({ data }) => (data.byteLength ?? JSON.stringify(data).length) < this.#largest
    if (this.#socket && this.#type)
      while (this.#sent < Math.min(this.#outbox.length, 64) && fits(this.#outbox[this.#sent])) this.#send()
    if (this.#sent || this.#unanswered) return
    if (!this.#type || !this.#running || !this.#isByWebSocket || !fits(this.#outbox[0])) this.#post()
  }

  #send() {
    const line = `${this.#epoch}.${this.#base + this.#sent}\n`
    const data = encode(this.#type, this.#outbox[this.#sent].data)
    this.#sent++
    this.#unanswered++
    this.#socket.send(typeof data === 'string' ? line + data : Uint8Array.of(...new TextEncoder().encode(line), ...data))
  }

  // An answer on the WebSocket. What is refused there is put to HTTP, which says more: once all else that was
  // under way is answered. None of that was taken, for it was behind.
  #answered(tag, result) {
    this.#unanswered--
    if (!result) this.#stalled = true
    else if (tag === `${this.#epoch}.${this.#base}`) {
      this.#sent--
      this.#taken(result)
    }
    if (this.#unanswered || !this.#stalled) return this.#flush()
    this.#stalled = false
    this.#sent = 0
    this.#post()
  }

  #taken({ offset, duplicate }) {
    this.#base++
    this.#postFails = 0
    this.#outbox.shift().resolve(duplicate ? { duplicate } : { offset })
    if (this.#outbox.length) return
    this.#linger = setTimeout(() => {
      this.#linger = undefined
      if (!this.#isWanted) this.#relink()
    }, 5000)
  }

  async #post() {
    const message = this.#outbox[0]
    if (!message) return
    this.#posting = true
    try {
      if (!this.#type) await this.info().catch((error) => { if (!error.permanent) throw error })
      const type = this.#type ?? typeOf(message.data)
      const data = encode(type, message.data)
      const asBytes = typeof data !== 'string'
      const answer = await this.#fetch({}, {
        method: 'POST',
        body: isJson(type) && !asBytes ? `[${data}]` : data, // the server takes one array apart
        headers: {
          'Content-Type': asBytes && (isJson(type) || isText(type)) ? typeOf(data) : type,
          'Producer-Id': this.#producer, 'Producer-Epoch': `${this.#epoch}`, 'Producer-Seq': `${this.#base}`,
        },
      })
      this.#type ??= type
      this.#taken({ ...this.#meta(answer), duplicate: answer.status === 204 })
    } catch (error) {
      this.#notTaken(error)
    }
    this.#posting = false
    this.#flush()
  }

  // A number that was given and is known not to be taken ends its epoch: nothing that is still on its way under
  // this epoch can be taken any more.
  #notTaken(error) {
    if (error.permanent || !(error instanceof DuplexError)) {
      if (error.expected === undefined) this.#outbox.shift()?.reject(error)
      this.#epoch++
      this.#base = 0
      return
    }
    this.#hold = setTimeout(() => {
      this.#hold = undefined
      this.#flush()
    }, this.#delay(this.#postFails++, error))
  }

  // ---- listening ----------------------------------------------------------------------------------

  subscribe(fn, options = {}) {
    const sub = new Subscription(fn, options, () => this.#leave(sub))
    if (this.#stopped) throw new DuplexError('stopped')
    this.#subs.add(sub)
    if (this.#at !== undefined && sub.offset === 'now') sub.offset = this.#at
    if (this.#running && (this.#at === undefined || sub.offset !== this.#at)) this.#relink()
    sub.enter('connecting')
    if (this.#at !== undefined && sub.offset === this.#at) sub.enter('live')
    this.#run()
    return sub
  }

  #leave(sub) {
    if (!this.#subs.delete(sub)) return
    sub.enter('stopped')
    if (!this.#isWanted) this.#relink()
  }

  // Ends everything. What was not acknowledged is told so.
  close() {
    this.#stopped = true
    this.#present = undefined
    for (const sub of this.#subs) this.#leave(sub)
    for (const { reject } of this.#outbox.splice(0)) reject(new DuplexError('stopped'))
    clearTimeout(this.#linger)
    clearTimeout(this.#hold)
    this.#linger = undefined
    this.#relink()
  }

  #tell(state, info) {
    for (const sub of this.#subs) sub.enter(state, info)
  }

  // For all who listen it is over.
  #finish(state, error) {
    const subs = [...this.#subs]
    this.#subs.clear()
    for (const sub of subs) sub.enter(state, { error, isFinal: true })
    if (this.#present && error) call(this.#present.onerror, error)
    this.#present = undefined
  }

  #give(offset, value) {
    if (this.#at) this.#at = offset
    for (const sub of this.#subs)
      if (sub.offset === 'now' || offset > sub.offset) {
        sub.offset = offset
        call(sub.fn, value, { offset })
      }
  }

  // Whoever reads the connection is at `offset`, whether there were messages or not.
  #reach(offset, isLive) {
    if (isLive) this.#at = offset
    for (const sub of this.#subs) if (sub.offset === 'now' || offset > sub.offset) sub.offset = offset
    this.#tell(isLive ? 'live' : 'catching_up', { door: this.#doors[this.#door] })
  }

  // isOther: what is there now has nothing to do with the cursors that are known.
  #gap(gap, isOther = gap.lost === null) {
    for (const sub of this.#subs)
      if (isOther || sub.offset === gap.requested || sub.offset < gap.earliest) {
        sub.offset = gap.earliest
        if (sub.ongap) call(sub.ongap, gap)
        else console.warn(`${this.url}: messages are not retained any more`, gap)
      }
  }

  // Where the connection is to begin: cursors sort as text, "-1" first, "now" last.
  get #oldest() {
    return [...this.#subs].map((sub) => sub.offset).sort()[0] ?? 'now'
  }

  async #start() {
    const none = (error) => {
      if (error.status !== 404) throw error
      return Object.assign([], { offset: '-1' }) // nobody has written to it
    }
    for (const sub of this.#subs)
      if (sub.last) {
        const past = await this.last(sub.last).catch(none)
        sub.last = 0
        sub.offset = past.offset
        past.forEach((value, i) => this.#subs.has(sub) && call(sub.fn, value, { offset: past[i + 1] === undefined ? past.offset : undefined }))
      }
    if (this.#oldest === 'now') return
    const { offset } = [...this.#subs].some((sub) => sub.offset === 'now') ? await this.info().catch(none) : {}
    for (const sub of this.#subs) if (sub.offset === 'now') sub.offset = offset
  }

  // ---- the connection -----------------------------------------------------------------------------

  get #isReading() {
    return this.#subs.size > 0 || Boolean(this.#present)
  }

  get #isWanted() {
    const publishes = this.#published > 0 && (this.#outbox.length > 0 || this.#linger !== undefined)
    return !this.#stopped && (this.#isReading || publishes)
  }

  // Begins anew, at once.
  #relink() {
    this.#lap?.abort()
    this.#wake?.()
  }

  // Full jitter; what the server says comes first. Who is not looked at comes back more rarely.
  #delay(fails, { after_ms, retry_ms = 0 } = {}) {
    const most = this.#options.retry_max_ms
    const isHidden = globalThis.document?.visibilityState === 'hidden'
    return after_ms ?? retry_ms + Math.random() * (isHidden ? most : Math.min(most, this.#options.retry_ms * 2 ** fails))
  }

  async #run() {
    if (this.#running || !this.#isWanted) return
    this.#running = true
    const page = globalThis.document
    const hurry = () => {
      if (page?.visibilityState === 'hidden') return
      this.#wake?.()
      this.#probe?.()
    }
    globalThis.addEventListener?.('online', hurry)
    page?.addEventListener('visibilitychange', hurry)
    for (let fails = 0; this.#isWanted;) {
      if (this.#again < Date.now()) this.#door = 0
      const began = Date.now()
      const lap = (this.#lap = new AbortController())
      let error = await this.#connect(lap).catch((e) => (e instanceof DuplexError ? e : offline(String(e))))
      const { aborted, reason } = lap.signal
      if (aborted) error = reason instanceof DuplexError ? reason : undefined
      lap.abort()
      this.#at = undefined
      if (Date.now() - began > 5000) fails = 0
      if (error && !this.#judge(error)) await this.#pause(this.#delay(fails++, error), error)
    }
    globalThis.removeEventListener?.('online', hurry)
    page?.removeEventListener('visibilitychange', hurry)
    this.#running = false
    this.#flush()
  }

  // True: there is nothing to wait for.
  #judge(error) {
    const isGone = error.code === 'deleted' || (error.code === 'gone' && !error.earliest) || (error.code === 'not_found' && this.#wasLive)
    if (error.code === 'closed') this.#finish('closed')
    else if (isGone) this.#finish('deleted', new DuplexError('deleted', { ...error }))
    else if (error.permanent) this.#finish('refused', error)
    else if (error.code !== 'blocked') return false
    else if (this.#door === 0 && this.#hasOpened && this.#refused < 3) return false // it is not the way, but a moment
    else {
      this.#again = Date.now() + 60000 * Math.min(++this.#refused, 30)
      this.#door = (this.#door + 1) % this.#doors.length
      this.#flush()
      return this.#door > 0
    }
    return true
  }

  async #pause(ms, error) {
    this.#tell('waiting', { error, retry_ms: ms })
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => (clearTimeout(timer), resolve())
    })
    this.#wake = undefined
  }

  async #connect(lap) {
    const door = this.#doors[this.#door]
    const timers = []
    this.#tell('connecting', { door })
    await this.#start()
    if (this.#again > Date.now()) timers.push(setTimeout(() => lap.abort(), this.#again - Date.now()))
    if (this.#present && door !== 'websocket') timers.push(setInterval(() => this.#list(), 10000), this.#list())
    try {
      if (lap.signal.aborted) return
      return await (door === 'websocket' ? this.#bySocket(lap) : door === 'sse' ? this.#bySse(lap) : this.#byPoll(lap))
    } finally {
      timers.forEach(clearTimeout)
    }
  }

  // ---- by WebSocket -------------------------------------------------------------------------------

  async #bySocket(lap) {
    const present = this.#present
    const reads = this.#isReading
    const url = this.#address({
      ...(reads ? { offset: this.#oldest } : { read: 0 }), producer: this.#producer, token: await this.#token(),
      ...(present && { presence: JSON.stringify(present.data) ?? '', member: present.id }),
    })
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = new this.#options.WebSocket(url.href, ['duplex.v1'])
    const error = await new Promise((resolve) => this.#attend(socket, lap, resolve))
    this.#socket = this.#probe = undefined
    this.#sent = this.#unanswered = 0
    this.#stalled = false
    if (error?.code === 'blocked' && reads) // a page is not told why: HTTP says it
      await this.#fetch({ offset: 'now', live: 'long-poll' }, { headers: { Prefer: 'wait=0' } })
    return error
  }

  // The life of a WebSocket; end() is called with what ended it.
  #attend(socket, lap, resolve) {
    const { silence_ms } = this.#options
    let heard = Date.now()
    let held // frames that wait until it is known what they carry
    let end_with = {}
    const end = (error) => {
      clearInterval(beat)
      socket.onopen = socket.onmessage = socket.onclose = null
      socket.onerror = () => {}
      socket.close()
      resolve(error)
    }
    const ping = () => this.#socket && socket.send('\n{"ping":0}')
    const beat = setInterval(() => {
      const silence = (Date.now() - heard) * (this.#socket ? 1 : 3)
      if (silence > silence_ms) end(offline('the line is silent'))
      else if (silence > silence_ms / 2) ping()
    }, silence_ms / 6)
    const control = (frame) => {
      if (frame.ack) this.#answered(frame.ack, frame)
      else if (frame.error) this.#answered(frame.error)
      else if (frame.error === null) call(this.#present?.onerror, failed(frame.status, frame))
      else if (frame.gap) this.#gap(frame.gap)
      else if (frame.caught_up) this.#reach(frame.caught_up, (this.#wasLive = true))
      else if (frame.closed) end_with = { code: 'closed' }
      else if (frame.reconnect) end_with = frame.reconnect
      else if (frame.join || frame.leave) this.#note(frame)
    }
    const closed = (code, reason) => {
      if (end_with.code) return new DuplexError('closed')
      if (!this.#socket) return new DuplexError('blocked', { detail: 'the WebSocket did not open' })
      if (code === 1009) this.#largest = 0
      if (code === 4404) return new DuplexError('deleted', { detail: reason, status: 404 })
      return code >= 4400 ? failed(code - 4000, { detail: reason }) : offline(`closed with ${code} ${reason}`, end_with)
    }
    const take = (event) => {
      const { data } = event
      if (socket.onclose === null) return
      if (held) return void held.push(event)
      if (data === undefined) return end(closed(event.code, event.reason))
      if (data[0] === '\n') return control(JSON.parse(data))
      if (typeof data === 'string' && !this.#type) {
        held = [event]
        return void this.info().then(() => {
          const events = held
          held = undefined
          events.forEach(take)
        }, end)
      }
      const bytes = typeof data === 'string' ? data : new Uint8Array(data)
      const line = bytes.indexOf(bytes === data ? '\n' : 10)
      const offset = decode('text/', bytes.slice(0, line))
      this.#give(offset, decode(this.#type, bytes.slice(line + 1)))
    }
    lap.signal.addEventListener('abort', () => end())
    socket.binaryType = 'arraybuffer'
    socket.onmessage = (event) => {
      heard = Date.now()
      take(event)
    }
    socket.onclose = take
    socket.onerror = () => {}
    socket.onopen = () => {
      if (socket.protocol !== 'duplex.v1') return end(new DuplexError('blocked', { detail: 'not a stream' }))
      heard = Date.now()
      this.#socket = socket
      this.#hasOpened = true
      this.#refused = 0
      this.#probe = () => {
        heard = Math.min(heard, Date.now() - silence_ms / 2)
        ping()
      }
      this.#tell('catching_up', { door: 'websocket' })
      if (this.#present) this.#list()
      this.#flush()
    }
  }

  // ---- by server-sent events and long-poll --------------------------------------------------------

  // Ends a lap in which nothing is heard for so long.
  #guard(lap, ms, error) {
    clearTimeout(lap.timer)
    if (ms) lap.timer = setTimeout(() => lap.abort(error), ms)
  }

  async #bySse(lap) {
    const { silence_ms } = this.#options
    const blocked = new DuplexError('blocked', { detail: 'no events come through' })
    try {
      this.#guard(lap, silence_ms / 3, blocked)
      const answer = await this.#fetch({ offset: this.#oldest }, { headers: { Accept: 'text/event-stream' }, signal: lap.signal })
      const isBase64 = answer.headers.get('Stream-SSE-Data-Encoding') === 'base64'
      const reader = answer.body.getReader()
      const text = new TextDecoder()
      for (let rest = '', heard; ; heard = true) {
        const { value, done } = await reader.read()
        if (done) return heard ? offline('the events ended') : blocked
        this.#guard(lap, silence_ms * 2, offline('the line is silent'))
        const events = (rest + text.decode(value, { stream: true })).split('\n\n')
        rest = events.pop()
        for (const event of events) await this.#event(event, isBase64, lap)
      }
    } finally {
      this.#guard(lap)
    }
  }

  async #event(text, isBase64, lap) {
    const { event, id, data } = text.split('\n').reduce((fields, line) => {
      const [, name, value] = /^(\w+): ?(.*)/.exec(line) ?? []
      if (name) fields[name] = name in fields ? `${fields[name]}\n${value}` : value
      return fields
    }, {})
    if (data === undefined) return
    if (!event && !this.#type) await this.info()
    if (lap.signal.aborted) return
    if (event === 'closed') throw new DuplexError('closed')
    if (event === 'gap') this.#gap(JSON.parse(data))
    if (event) return this.#reach(id, false), this.#tell('live', { door: 'sse' })
    this.#give(id, decode(this.#type, isBase64 ? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) : data))
  }

  // A batch tells one cursor. Where each message needs its own, they are asked for one by one.
  async #byPoll(lap) {
    try {
      for (let cursor; ;) {
        const offset = this.#oldest
        const isOneByOne = !isJson(this.#type) || [...this.#subs].some((sub) => sub.offset !== offset)
        this.#guard(lap, this.#options.silence_ms * 2, offline('no answer'))
        const answer = await this.#fetch({ offset, live: 'long-poll', cursor, limit: isOneByOne ? 1 : undefined },
          { signal: lap.signal, headers: offset === 'now' ? { Prefer: 'wait=0' } : {} }).catch((error) => {
          if (!error.earliest) throw error
          this.#gap({ requested: offset, earliest: error.earliest, lost: null }, false)
        })
        if (!answer) continue
        const { offset: next, closed } = this.#meta(answer)
        const values = answer.status === 200 ? await this.#values(answer) : []
        if (lap.signal.aborted) return
        cursor = answer.headers.get('Stream-Cursor') ?? undefined
        if (values.length === 1) this.#give(next, values[0])
        else this.#batch(values)
        this.#reach(next, answer.headers.has('Stream-Up-To-Date'))
        if (closed) throw new DuplexError('closed')
      }
    } finally {
      this.#guard(lap)
    }
  }

  #batch(values) {
    for (const sub of [...this.#subs])
      for (const value of values) if (this.#subs.has(sub)) call(sub.fn, value, {})
  }

  // ---- presence -----------------------------------------------------------------------------------

  // Joins, and tells of others. On doors other than the WebSocket one only sees.
  presence(fn, { data, id = makeId(), onerror } = {}) {
    const present = (this.#present = { fn, data, id, onerror, members: new Map() })
    if (this.#stopped) throw new DuplexError('stopped')
    if (this.#running) this.#relink()
    this.#run()
    return {
      id,
      update: (value) => {
        present.data = value
        if (this.#present === present) this.#socket?.send(`\n${JSON.stringify({ presence: value })}`)
      },
      close: () => {
        if (this.#present !== present) return
        this.#present = undefined
        this.#relink()
      },
    }
  }

  // Everybody, after joining; what is told meanwhile comes behind that.
  async #list() {
    const present = this.#present
    const members = new Map()
    const notes = (present.notes = [])
    try {
      for (let page = {}; page; page = page.next && page) {
        page = await (await this.#fetch({ presence: '', limit: 1000, after: page.next })).json()
        for (const member of page.members) members.set(member.id, member.data)
        present.count = page.count
      }
    } catch (error) {
      if (error.permanent) call(present.onerror, error)
    }
    if (present.notes !== notes || this.#present !== present) return
    present.notes = undefined
    const join = [...members].filter(([id, data]) => JSON.stringify(present.members.get(id)) !== JSON.stringify(data) || !present.members.has(id))
    const leave = [...present.members.keys()].filter((id) => !members.has(id))
    present.members = members
    call(present.fn, { members, count: present.count, join: join.map(([id, data]) => ({ id, data })), leave })
    notes.forEach((note) => this.#note(note))
  }

  #note(note) {
    const present = this.#present
    if (!present) return
    if (present.notes) return void present.notes.push(note)
    const { join = [], leave = [], count } = note
    for (const { id, data } of join) present.members.set(id, data)
    for (const id of leave) present.members.delete(id)
    present.count = count
    call(present.fn, { members: present.members, count, join, leave })
  }
}

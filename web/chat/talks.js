// Talks: what was said in a room or with one person, what is on its way, what was not read yet.
// Is:     the streams behind them: /s/chat/room/NAME, /s/chat/inbox/ID, /s/chat/rooms; nothing is shown here.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import { makeId } from '/chat/me.js'

const PAST = 200 // messages that are read when a talk is opened
const KEPT = 500 // and held

// What others send may be anything; null if it is no message.
function tidy(message) {
  const { id, text, name, at } = message ?? {}
  if (typeof id !== 'string' || typeof text !== 'string') return null
  return {
    id, text: text.slice(0, 4000), mine: message.mine, from: message.from,
    name: typeof name === 'string' && name.trim() ? name.slice(0, 24) : 'somebody',
    at: Math.abs(at) < 8e15 ? Number(at) : 0,
  }
}

// A stream that everybody may make, with what has happened and what happens next as one sequence.
export class Kept {
  constructor(path, line, { onvalue, onpast, onstate }) {
    Object.assign(this, { path, line, onvalue, onpast, onstate })
    this.#anew()
  }

  #anew() {
    const { WebSocket, fetch } = this.line
    this.stream = new Stream(this.path, { type: 'application/json', WebSocket, fetch })
    this.ready = this.#begin()
  }

  // A server that keeps nothing has forgotten it when it was started again: it is made anew.
  #enter(state, info) {
    if (state !== 'deleted') return this.onstate?.(state, info)
    this.stream.close()
    this.#anew()
  }

  // By HTTP until it works, then by WebSocket from where that ended.
  async #begin() {
    const { onvalue, onstate } = this
    for (let pause = 500; ; pause = Math.min(2 * pause, 15000))
      try {
        onstate?.('connecting', {})
        await this.stream.create()
        const past = await this.stream.last(PAST)
        for (const value of past) onvalue(value)
        this.onpast?.()
        this.stream.subscribe(onvalue, { offset: past.offset, onstate: (state, info) => this.#enter(state, info) })
        return
      } catch (error) {
        if (error.permanent) return onstate?.('refused', { error })
        onstate?.('waiting', { error, retry_ms: pause })
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, pause)
          addEventListener('online', () => (clearTimeout(timer), resolve()), { once: true })
        })
      }
  }
}

// One room, or one other person. A message is { id, from, name, text, at, state }; state: sending, sent, failed.
export class Talk extends EventTarget {
  messages = []
  #byId = new Map()
  #read

  constructor(id, title) {
    super()
    this.id = id
    this.title = title
    this.#read = localStorage.getItem(`duplex-read-${id}`)
  }

  changed(what = 'list') {
    this.dispatchEvent(new CustomEvent('change', { detail: what }))
  }

  // Comes from the stream: it is there for good. What we have sent is already shown.
  take(value) {
    const message = tidy(value)
    if (!message) return
    const known = this.#byId.get(message.id)
    if (known?.state === 'sent') return
    if (known) this.messages.splice(this.messages.indexOf(known), 1) // its place is where the stream has it
    const kept = { ...message, state: 'sent' }
    const ahead = this.messages.findIndex(({ state }) => state !== 'sent')
    this.messages.splice(ahead < 0 ? this.messages.length : ahead, 0, kept)
    this.#byId.set(kept.id, kept)
    if (this.messages.length > KEPT) this.#byId.delete(this.messages.shift().id)
    this.changed()
  }

  // send: gives a promise that is kept when the server has it.
  async say(message, send) {
    const mine = { ...message, id: makeId(), at: Date.now(), state: 'sending' }
    this.messages.push(mine)
    this.#byId.set(mine.id, mine)
    this.changed()
    try {
      const { state, ...plain } = mine
      await send(plain)
    } catch (error) {
      mine.state = 'failed'
      mine.why = error.detail || error.message
      this.changed()
    }
  }

  get unread() {
    const read = this.messages.findLastIndex(({ id }) => id === this.#read)
    return this.messages.slice(read + 1).filter(({ mine, state }) => !mine && state === 'sent').length
  }

  // Who comes for the first time has not missed what was said before.
  begin() {
    if (this.#read === null) this.seen()
    this.changed()
  }

  // All of it was seen.
  seen() {
    const last = this.messages.findLast(({ state }) => state === 'sent')
    if (!last || last.id === this.#read) return
    this.#read = last.id
    localStorage.setItem(`duplex-read-${this.id}`, last.id)
  }
}

export class Room extends Talk {
  constructor(name, me, line, onstate) {
    super(`room/${name}`, `#${name}`)
    this.name = name
    this.me = me
    this.kept = new Kept(`/s/chat/room/${name}`, line, {
      onvalue: (message) => this.take({ ...message, mine: message?.from === me.id }),
      onpast: () => this.begin(),
      onstate: (state, info) => onstate(this, state, info),
    })
  }

  send(text) {
    const { id, name } = this.me
    return this.say({ from: id, name, text, mine: true }, ({ mine, ...message }) => this.kept.stream.publish(message))
  }
}

// The talk with one other person. It is in the inboxes of both.
export class Private extends Talk {
  constructor(id, key, name, inbox) {
    super(`private/${id}`, name)
    this.person = id
    this.key = key
    this.inbox = inbox
  }

  send(text) {
    return this.inbox.send(this, text)
  }
}

export class Inbox {
  #talks = new Map()
  #streams = new Map()

  constructor(me, line, { ontalk, onstate }) {
    Object.assign(this, { me, line, ontalk })
    this.kept = new Kept(`/s/chat/inbox/${me.id}`, line, {
      onvalue: (letter) => this.#order = this.#order.then(() => this.#take(letter)), // opening takes a moment: in turn
      onstate: (state, info) => onstate(this, state, info),
    })
  }

  #order = Promise.resolve()

  async #take(letter) {
    const opened = letter && await this.me.open(letter)
    if (!opened) return
    const { id, key, content } = opened
    const mine = letter.from === this.me.key
    const talk = this.with(id, key, mine ? undefined : content.name)
    talk.take({ ...content, from: mine ? this.me.id : id, mine })
  }

  with(id, key, name) {
    let talk = this.#talks.get(id)
    if (!talk) this.#talks.set(id, (talk = new Private(id, key, name ?? `someone ${id.slice(0, 4)}`, this)))
    else if (name) talk.title = name
    this.ontalk(talk)
    return talk
  }

  async #to(id) {
    if (!this.#streams.has(id)) {
      const { WebSocket, fetch } = this.line
      const stream = new Stream(`/s/chat/inbox/${id}`, { type: 'application/json', WebSocket, fetch })
      await stream.create()
      this.#streams.set(id, stream)
    }
    return this.#streams.get(id)
  }

  // First to the other, then a copy to oneself, under one id.
  send(talk, text) {
    return talk.say({ from: this.me.id, name: this.me.name, text, mine: true }, async ({ mine, from, ...content }) => {
      const letter = await this.me.seal(talk.key, talk.person, content)
      await this.kept.ready
      await (await this.#to(talk.person)).publish(letter)
      await this.kept.stream.publish(letter)
    })
  }
}

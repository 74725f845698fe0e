// The game's messages, and where everybody is between two of them.
// Is:     bytes to snapshots (examples/game.c tells them), a clock that follows the server's ticks, interpolation.
// Is not: the connection, the picture.
// SPDX-License-Identifier: MIT

export const INPUT = 1, PING = 2, NAME = 3
const SNAPSHOT = 1, WELCOME = 2, NAMES = 3, PONG = 4
const BEHIND_MS = 100 // shown is what was so long ago: three ticks, so that one may be late
const KEPT = 12 // snapshots

const text = new TextDecoder()

export function inputBytes(x, y) {
  return new Int8Array([INPUT, Math.round(x * 100), Math.round(y * 100)])
}

export function nameBytes(name) {
  let bytes = new TextEncoder().encode(name)
  while (bytes.length > 24) bytes = new TextEncoder().encode((name = [...name].slice(0, -1).join('')))
  return new Uint8Array([NAME, ...bytes])
}

export class World {
  width = 1600
  height = 900
  id = -1
  names = new Map()
  tickUs = 0
  pingMs = 0
  snapshots = [] // { tick, players: Map of id to { x, y, score, isHuman }, crystals }
  #rate = 30
  #start // the time at which tick 0 would have been told

  // Returns what it was.
  take(buffer) {
    const view = new DataView(buffer)
    switch (view.getUint8(0)) {
      case SNAPSHOT: return this.#snapshot(view), 'snapshot'
      case WELCOME:
        this.id = view.getUint8(1)
        this.width = view.getUint16(2, true)
        this.height = view.getUint16(4, true)
        this.#rate = view.getUint8(6)
        this.snapshots.length = 0
        this.#start = undefined
        return 'welcome'
      case NAMES:
        for (let at = 1; at < view.byteLength; at += 2 + view.getUint8(at + 1))
          this.names.set(view.getUint8(at), text.decode(new Uint8Array(buffer, at + 2, view.getUint8(at + 1))))
        return 'names'
      case PONG:
        this.pingMs = ((performance.now() * 10) >>> 0) / 10 - view.getUint32(1, true) / 10
        return 'pong'
    }
    return 'unknown'
  }

  pingBytes() {
    const view = new DataView(new ArrayBuffer(5))
    view.setUint8(0, PING)
    view.setUint32(1, (performance.now() * 10) >>> 0, true)
    return view
  }

  #snapshot(view) {
    const tick = view.getUint32(1, true)
    this.tickUs = view.getUint16(5, true)
    const players = new Map()
    let at = 9
    for (let i = 0; i < view.getUint8(7); i++, at += 8)
      players.set(view.getUint8(at), {
        isHuman: view.getUint8(at + 1) === 1,
        x: view.getUint16(at + 2, true) / 16, y: view.getUint16(at + 4, true) / 16, score: view.getUint16(at + 6, true),
      })
    const crystals = []
    for (let i = 0; i < view.getUint8(8); i++, at += 4) crystals.push([view.getUint16(at, true) / 16, view.getUint16(at + 2, true) / 16])
    if (tick <= (this.snapshots.at(-1)?.tick ?? -1)) this.snapshots.length = 0 // another life of the server
    this.snapshots.push({ tick, players, crystals })
    if (this.snapshots.length > KEPT) this.snapshots.shift()
    this.#follow(performance.now() - (tick * 1000) / this.#rate)
  }

  // Ticks come late, never early: the earliest sets the clock, which gives way a little, and jumps after a pause.
  #follow(start) {
    const isFar = this.#start === undefined || Math.abs(start - this.#start) > 500
    this.#start = isFar ? start : Math.min(start, this.#start + 0.5)
  }

  // Everybody at the time that is to be shown now: [{ id, x, y, score, isHuman, name }].
  at(now) {
    const due = ((now - BEHIND_MS - this.#start) * this.#rate) / 1000
    const to = this.snapshots.find(({ tick }) => tick >= due) ?? this.snapshots.at(-1)
    if (!to) return []
    const from = this.snapshots[this.snapshots.indexOf(to) - 1] ?? to
    const part = to === from ? 1 : Math.min(1, Math.max(0, (due - from.tick) / (to.tick - from.tick)))
    return [...to.players].map(([id, b]) => {
      const a = from.players.get(id) ?? b
      const isJump = Math.abs(a.x - b.x) + Math.abs(a.y - b.y) > 100 // somebody else has taken the place
      return {
        id, score: b.score, isHuman: b.isHuman, name: this.names.get(id) ?? '',
        x: isJump ? b.x : a.x + (b.x - a.x) * part, y: isJump ? b.y : a.y + (b.y - a.y) * part,
      }
    })
  }
}

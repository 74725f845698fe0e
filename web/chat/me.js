// Who one is, without accounts: a name, a pair of keys that stays in this browser, and an id that is the key's hash.
// Is:     private messages as boxes that two people can open, with ECDH and AES-GCM.
// Is not: proof of a name. Whoever has the key is the same one as before, that is all.
// SPDX-License-Identifier: MIT

const curve = { name: 'ECDH', namedCurve: 'P-256' }
const { subtle } = crypto // only in secure contexts: https, or localhost
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
const toBytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))

export const makeId = () => hex(crypto.getRandomValues(new Uint8Array(8)))
export const canBePrivate = Boolean(subtle)

const idOf = async (key) => hex(await subtle.digest('SHA-256', toBytes(key))).slice(0, 20)

export class Me {
  #private
  #shared = new Map() // by the other's key

  static async load() {
    const me = new Me()
    const stored = JSON.parse(localStorage.getItem('duplex-chat') ?? '{}')
    me.name = stored.name ?? `guest ${Math.floor(Math.random() * 9000 + 1000)}`
    if (subtle) {
      const pair = stored.pair ?? await me.#makePair()
      me.#private = await subtle.importKey('jwk', pair.private, curve, false, ['deriveKey'])
      me.key = pair.public
      me.id = await idOf(me.key)
      me.#keep({ name: me.name, pair })
    } else {
      me.id = stored.id ?? makeId()
      me.#keep({ name: me.name, id: me.id })
    }
    return me
  }

  async #makePair() {
    const { publicKey, privateKey } = await subtle.generateKey(curve, true, ['deriveKey'])
    return { private: await subtle.exportKey('jwk', privateKey), public: toText(await subtle.exportKey('raw', publicKey)) }
  }

  #keep(more) {
    const stored = JSON.parse(localStorage.getItem('duplex-chat') ?? '{}')
    localStorage.setItem('duplex-chat', JSON.stringify({ ...stored, ...more }))
  }

  rename(name) {
    this.name = name
    this.#keep({ name })
  }

  // The key that only the two can make: each from the own private and the other's public one.
  #with(key) {
    if (!this.#shared.has(key))
      this.#shared.set(key, subtle.importKey('raw', toBytes(key), curve, false, [])
        .then((other) => subtle.deriveKey({ ...curve, public: other }, this.#private, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])))
    return this.#shared.get(key)
  }

  // What goes into an inbox: everybody can read that, the two can read what is in the box. Anybody may say that a key
  // is that of `id`: it is only if the id is its hash.
  async seal(to, id, content) {
    if (await idOf(to) !== id) throw new Error('the key that came with this name is not theirs')
    const iv = crypto.getRandomValues(new Uint8Array(12))
    const bytes = new TextEncoder().encode(JSON.stringify(content))
    const box = await subtle.encrypt({ name: 'AES-GCM', iv }, await this.#with(to), bytes)
    return { from: this.key, to, iv: toText(iv), box: toText(box) }
  }

  // { id, key, content } of the other one; null where it is not for us, or not from whom it says.
  async open({ from, to, iv, box }) {
    try {
      const key = from === this.key ? to : from
      const bytes = await subtle.decrypt({ name: 'AES-GCM', iv: toBytes(iv) }, await this.#with(key), toBytes(box))
      return { id: await idOf(key), key, content: JSON.parse(new TextDecoder().decode(bytes)) }
    } catch {
      return null
    }
  }
}

// What the pages share: what a stream's state means in plain words, a line that can be cut, figures, copying.
// SPDX-License-Identifier: MIT

import { Stream } from '/lib/duplex.js'

export const $ = (selector, from = document) => from.querySelector(selector)

// An element with properties and children; text is always text.
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children)
  return element
}

// ---- words ----------------------------------------------------------------------------------------

const seconds = (ms) => (ms < 1500 ? 'in a second' : `in ${Math.round(ms / 1000)} seconds`)

// What a Stream says of itself (see Stream.subscribe), as [kind, words]; kind: live, wait or bad.
export function explain(state, { error, retry_ms = 0, door } = {}) {
  const again = `Trying again ${seconds(retry_ms)}.`
  switch (state) {
    case 'connecting': return ['wait', 'Connecting…']
    case 'catching_up': return ['wait', 'Reading what was missed…']
    case 'live': return ['live', door === 'websocket' ? 'Live, by WebSocket' : `Live, by ${door ?? 'another door'}: a WebSocket does not get through here`]
    case 'closed': return ['bad', 'This stream was closed: nothing more will come.']
    case 'deleted': return ['bad', 'This stream was deleted. Reload the page to begin it anew.']
    case 'stopped': return ['wait', 'Stopped.']
    case 'refused': return ['bad', `The server refused (${error.status}): ${error.detail || error.title || error.code}`]
  }
  if (navigator.onLine === false) return ['wait', 'This device is offline. It goes on by itself when the network is back; nothing is lost.']
  if (/1001|1012/.test(error?.detail) || error?.status === 503) return ['wait', `The server is restarting. ${again} Nothing is lost.`]
  if (error?.code === 'too_many') return ['wait', `Too much at once for the server. ${again}`]
  return ['wait', `No answer from the server. ${again} Nothing is lost.`]
}

// Shows the above in an element of class "state"; it is read out when it changes.
export function show(element, [kind, words]) {
  if (element.textContent === words) return
  element.dataset.kind = kind
  element.textContent = words
}

// What to tell of messages that are not kept any more.
export const explainGap = ({ lost }) =>
  (lost === null ? 'Some messages' : lost === 1 ? 'One message' : `${lost} messages`) + ' went by that are not kept any more.'

// Follows a stream that is kept in memory: when the server was started again it is not there before somebody writes
// to it, which is no end.
export function follow(path, fn, { line = {}, stream: more, onstate, ...options }) {
  const stream = new Stream(path, { type: options.type, ...(line.WebSocket && { WebSocket: line.WebSocket, fetch: line.fetch }), ...more })
  stream.subscribe(fn, {
    ...options,
    onstate(state, info) {
      if (state !== 'deleted') return onstate?.(state, info)
      stream.close()
      onstate?.('waiting', { retry_ms: 1000 })
      setTimeout(follow, 1000, path, fn, { line, stream: more, onstate, ...options })
    },
  })
}

// ---- figures --------------------------------------------------------------------------------------

export const count = (n) => (n >= 99950 ? `${(n / 1000).toFixed(n >= 1e6 ? 0 : 1)} k` : n >= 100 ? String(Math.round(n)) : String(+n.toFixed(1)))

export function bytes(n) {
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (n < 1000 || unit === 'GB') return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`
    n /= 1000
  }
}

// ---- the line --------------------------------------------------------------------------------------

// WebSocket and fetch for Streams: counts what comes, and can be cut as if a cable were pulled.
export class Line {
  #sockets = new Set()
  isCut = false
  messages = 0
  bytes = 0

  constructor() {
    const line = this
    this.WebSocket = function (url, protocols) {
      return line.isCut ? line.#dead() : line.#open(url, protocols)
    }
    this.fetch = (url, init) => (this.isCut ? Promise.reject(new TypeError('the line is cut')) : fetch(url, init))
  }

  #open(url, protocols) {
    const socket = new WebSocket(url, protocols)
    this.#sockets.add(socket)
    socket.addEventListener('close', () => this.#sockets.delete(socket))
    socket.addEventListener('message', ({ data }) => {
      this.messages++
      this.bytes += data.length ?? data.byteLength
    })
    return socket
  }

  // What a socket without a network is like.
  #dead() {
    const socket = { readyState: 3, close() {}, send() {} }
    setTimeout(() => socket.onclose?.({ code: 1006, reason: '' }))
    return socket
  }

  cut() {
    this.isCut = true
    for (const socket of this.#sockets) {
      this.#sockets.delete(socket)
      socket.onclose?.({ code: 1006, reason: '' }) // at once: a cable says no good-bye
    }
  }

  mend() {
    this.isCut = false
    dispatchEvent(new Event('online')) // do not wait for the next try
  }
}

// ---- what every page has ---------------------------------------------------------------------------

// Buttons that copy the text before them.
for (const button of document.querySelectorAll('button[data-copy]'))
  button.addEventListener('click', async () => {
    const text = $(button.dataset.copy).textContent
    try {
      await navigator.clipboard.writeText(text)
      button.textContent = 'Copied'
    } catch {
      getSelection().selectAllChildren($(button.dataset.copy)) // no permission: at least mark it
      button.textContent = 'Marked: press Ctrl+C'
    }
    setTimeout(() => { button.textContent = 'Copy' }, 2000)
  })

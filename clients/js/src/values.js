// Errors by name, and values to and from what is sent.
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
    const { status } = this
    return status >= 400 && status < 500 && status !== 408 && status !== 429
  }
}

export const failed = (status, more) =>
  new DuplexError(more.code ?? names[status] ?? (status < 500 ? 'refused' : 'failed'), { ...more, status })
export const offline = (detail, more) => new DuplexError('offline', { detail, ...more })
export const blocked = (detail) => new DuplexError('blocked', { detail })

export const isJson = (type) => /^application\/json\b|^[^;]*\+json\b/i.test(type)
export const isText = (type) => isJson(type) || /^text\//i.test(type)
const isBytes = (data) => ArrayBuffer.isView(data) || data instanceof ArrayBuffer
// Unlike others, but no secret.
export const makeId = () => [0, 0].map(Math.random).join('')

// A callback's fault is its owner's: it is reported, and the others still get theirs.
export const call = (fn, ...args) => {
  try {
    fn?.(...args)
  } catch (error) {
    setTimeout(() => { throw error })
  }
}

// data: a string or a Uint8Array.
export const decode = (type, data) => {
  if (isText(type) && isBytes(data)) data = new TextDecoder().decode(data)
  return isJson(type) ? JSON.parse(data) : data
}

// A string or a Uint8Array; undefined: there is nothing to be sent.
export const encode = (type, data) => {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (isBytes(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (isJson(type) || typeof data !== 'string') return JSON.stringify(data)
  return isText(type) ? data : new TextEncoder().encode(data)
}

// What a stream becomes by its first message.
export const typeOf = (data) =>
  isBytes(data) ? 'application/octet-stream' : typeof data === 'string' ? 'text/plain' : 'application/json'

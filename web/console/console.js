// The console: what the server tells of itself, and a look into its streams.
// Is:     a client of streams like any other, on the admin listener, where every stream is below /streams.
// Is not: in possession of anything but what comes through these: what it shows is a stream, /live/$sys/console/now.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import { $, bytes, count, explain, explainGap, follow, make, show } from '/page.js'

// ---- who one is --------------------------------------------------------------------------------------

let token = sessionStorage.getItem('duplex-admin-token') ?? undefined
const options = { doors: ['long-poll'], token: () => token }
const urlOf = (path) => `/streams${path.split('/').map(encodeURIComponent).join('/')}`

function login(isNeeded, words) {
  $('#login').hidden = !isNeeded
  $('#all').hidden = isNeeded
  $('#forget').hidden = isNeeded || !token
  if (!isNeeded) return
  show($('#state'), ['bad', words])
  $('#token').focus()
}

$('#login').addEventListener('submit', (event) => {
  event.preventDefault()
  token = $('#token').value.trim()
  $('#token').value = ''
  sessionStorage.setItem('duplex-admin-token', token)
  begin()
})

$('#forget').addEventListener('click', () => {
  sessionStorage.removeItem('duplex-admin-token')
  location.reload()
})

// ---- tables --------------------------------------------------------------------------------------------

// Rows that stay where they are as long as they have the same key; cells: texts, or what make() gives.
function fill(body, rows, none) {
  const have = new Map([...body.children].map((element) => [element.dataset.key, element]))
  let place = null
  for (const { key, cells, ...more } of rows) {
    const element = have.get(key) ?? make('tr', {}, ...cells.map(() => make('td')))
    have.delete(key)
    element.dataset.key = key
    cells.forEach(({ text, className = '', onclick }, i) => {
      const cell = element.cells[i]
      if (onclick && !cell.firstChild) cell.append(make('button', { type: 'button', onclick }, text))
      else if (!onclick && cell.textContent !== text) cell.textContent = text
      if (cell.className !== className) cell.className = className
    })
    element.toggleAttribute('aria-current', Boolean(more.isChosen))
    if (more.isChosen) element.setAttribute('aria-current', 'true')
    const next = place ? place.nextSibling : body.firstChild
    if (element !== next) body.insertBefore(element, next)
    place = element
  }
  for (const element of have.values()) element.remove()
  if (!rows.length) body.append(make('tr', { className: 'none' }, make('td', { colSpan: 6 }, none)))
}

const ago = (ms) => (ms < 2000 ? 'now' : ms < 120e3 ? `${Math.round(ms / 1000)} s` : ms < 7200e3 ? `${Math.round(ms / 60e3)} min` : `${Math.round(ms / 3600e3)} h`)

// ---- the server ------------------------------------------------------------------------------------------

let before
function figures(now) {
  const text = { memory: bytes(now.memory), up: ago(now.up).replace('now', '1 s') }
  if (before && now.t > before.t) {
    const rate = (name) => Math.max(0, ((now[name] - before[name]) * 1000) / (now.t - before.t))
    Object.assign(text, {
      published: count(rate('published')), delivered: count(rate('delivered')),
      in: bytes(rate('bytes_in')), out: bytes(rate('bytes_out')), cpu: `${(rate('cpu') / 10).toFixed(1)} %`,
    })
  }
  before = now
  for (const [id, words] of Object.entries(text)) $(`#${id}`).textContent = words
}

// ---- streams, subscribers, connections ------------------------------------------------------------------

let last // what came last, and rates since the one before it
let chosen // the path that is looked into

function takeAll(now) {
  const known = new Map(last?.streams.map((stream) => [stream.path, stream]))
  for (const stream of now.streams) {
    const was = known.get(stream.path)
    const isSame = was && stream.count >= was.count && now.t > last.t
    stream.rate = isSame ? ((stream.count - was.count) * 1000) / (now.t - last.t) : null
  }
  last = now
  draw()
}

function streamRow(stream) {
  return {
    key: stream.path,
    isChosen: stream.path === chosen,
    cells: [
      { text: stream.path, onclick: () => lookInto(stream.path) },
      { text: stream.rate === null ? '–' : count(stream.rate) },
      { text: String(stream.count) },
      { text: bytes(stream.bytes) },
      { text: String(stream.subscribers) },
      { text: stream.closed ? 'closed' : stream.at ? ago(last.t - stream.at) : '–' },
    ],
  }
}

function draw() {
  const wanted = $('#filter').value.trim().toLowerCase()
  const streams = last.streams.filter(({ path }) => path.toLowerCase().includes(wanted))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  fill($('#streams'), streams.map(streamRow), wanted ? 'No such stream was written to of late.' : 'No streams yet.')
  $('#streams-count').textContent = last.streams_count > last.streams.length
    ? `${last.streams_count}, of them the ${last.streams.length} last written` : String(last.streams_count)
  fill($('#subscribers'), last.subscribers.map(({ path, at, behind, state }, i) => ({
    key: String(i),
    cells: [{ text: path }, { text: at, className: 'position' }, { text: behind ? `${behind}` : '0', className: behind > 100 ? 'lag' : '' },
      { text: state === 'live' ? 'live' : 'catching up' }],
  })), 'Nobody subscribes. Who polls is not among them.')
  fill($('#connections'), last.connections.map(({ peer, kind, tls, unsent }, i) => ({
    key: String(i),
    cells: [{ text: peer || 'a local program' }, { text: `${kind === 'http' ? 'HTTP' : 'WebSocket'}${tls ? ', TLS' : ''}` }, { text: bytes(unsent) }],
  })), 'No connections but yours.')
  $('#connections-count').textContent = count(last.connections_count)
  $('#connections-shown').textContent = last.connections_count > last.connections.length ? `the ${last.connections.length} fullest` : ''
}

$('#filter').addEventListener('input', () => last && draw())

// ---- one stream --------------------------------------------------------------------------------------------

const SHOWN = 200
let inside // its Stream
let waiting = [] // messages that came while it is paused, or within this frame
let isPaused = false

function textOf(value) {
  if (typeof value === 'string') return value
  if (!(value instanceof Uint8Array)) return JSON.stringify(value)
  return `${[...value.subarray(0, 64)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}${value.length > 64 ? ` … (${value.length} bytes)` : ''}`
}

function say(text, className = '') {
  waiting.push({ text: text.length > 4000 ? `${text.slice(0, 4000)}… (${text.length} characters)` : text, className })
  if (waiting.length > SHOWN) waiting.shift()
  if (waiting.length === 1 || !isPaused) requestAnimationFrame(write)
}

function write() {
  if (isPaused || !waiting.length) return
  const list = $('#messages')
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  list.append(...waiting.splice(0).map(({ text, className }) => make('li', { className }, text)))
  while (list.children.length > SHOWN) list.firstChild.remove()
  if (isAtEnd) list.scrollTop = list.scrollHeight
}

function lookInto(path) {
  inside?.close()
  chosen = path
  waiting = []
  pause(false)
  $('#messages').replaceChildren()
  $('#inside-title').textContent = path
  for (const element of document.querySelectorAll('#follow, #publish input, #publish button')) element.disabled = false
  const stream = (inside = new Stream(urlOf(path), options))
  const { recent } = last.streams.find((known) => known.path === path) ?? {}
  stream.subscribe((value) => stream === inside && say(textOf(value)), {
    offset: recent ?? 'now',
    onstate: (state, info) => stream === inside && show($('#inside-state'), state === 'live' ? ['live', 'Following: what comes is added below.'] : explain(state, info)),
    ongap: (gap) => stream === inside && say(explainGap(gap), 'hint'),
  })
  draw()
}

function pause(isOn) {
  isPaused = isOn
  $('#follow').setAttribute('aria-pressed', isOn)
  $('#follow').textContent = isOn ? 'Go on' : 'Pause'
  write()
}

$('#follow').addEventListener('click', () => pause(!isPaused))

// In a JSON stream what reads as JSON is that, all else is a string.
async function valueOf(stream, text) {
  const { type } = await stream.info().catch(() => ({}))
  if (!/json/i.test(type ?? '')) return /^(text\/|$)/i.test(type ?? '') ? text : new TextEncoder().encode(text)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

$('#publish').addEventListener('submit', async (event) => {
  event.preventDefault()
  const text = $('#message').value
  if (!text || !inside) return
  const stream = inside
  $('#message').value = ''
  try {
    await stream.publish(await valueOf(stream, text))
  } catch (error) {
    if (error.code !== 'stopped') say(`not published: ${error.detail || error.message}`, 'bad')
  }
})

// ---- to begin with ----------------------------------------------------------------------------------------

function onstate(state, info) {
  if (state === 'refused' && info.error.status === 401)
    return login(true, token ? 'The server does not take this token.' : 'This server wants to see its admin token.')
  if (state === 'live') login(false)
  show($('#state'), state === 'live' ? ['live', 'Live'] : explain(state, info))
}

function begin() {
  const stream = { type: 'application/json', ...options }
  show($('#state'), explain('connecting'))
  const ongap = () => {} // old figures are of no use
  follow(urlOf('/live/$sys/console/now'), takeAll, { stream, onstate, ongap })
  follow(urlOf('/live/$sys/stats'), figures, { stream, onstate: () => {}, ongap })
}

begin()

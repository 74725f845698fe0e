// The comparison: the server runs it on request, what it measures comes through a stream, and is drawn as it comes.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import { $, explain, make, show } from '/page.js'
import { Plot } from '/compare/plot.js'

const ways = [
  ['http-1.0', 'HTTP/1.0'], ['http-1.1', 'HTTP/1.1'], ['http-2', 'HTTP/2'], ['long-poll', 'long-poll'], ['sse', 'SSE'],
  ['websocket', 'WebSocket'], ['websocket-deflated', 'WebSocket, deflated'],
]
const phases = { talk: 'there and back', push: 'pushed' }
const plots = { talk: new Plot($('#talk-plot'), 300), push: new Plot($('#push-plot'), 300) }
const numberOf = (id) => ways.findIndex(([known]) => known === id)

// ---- tables ----------------------------------------------------------------------------------------

// What a column is called, and what it has of the figures of a row.
const columns = [
  ['Requests', (f) => f.requests, 0],
  ['Connections', (f) => f.connections, 0],
  ['Bytes up', (f) => f.bytes_per_message.up, 1],
  ['Bytes down', (f) => f.bytes_per_message.down, 1],
  ['p50 ms', (f) => f.latency_ms.p50, 3],
  ['p99 ms', (f) => f.latency_ms.p99, 3],
  ['CPU µs', (f) => f.server_cpu_us_per_message, 1],
]
let rows = new Map()

function fill(phase) {
  const measured = [...rows.values()].filter((row) => row[phase])
  const most = columns.map(([, of]) => Math.max(...measured.map((row) => of(row[phase]) ?? 0)))
  const head = make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Way'),
    ...columns.map(([name]) => make('th', { scope: 'col' }, name))))
  const body = ways.map(([id, name], i) => {
    const row = make('tr', { className: `w${i}` }, make('th', { scope: 'row', className: 'way' }, name))
    row.dataset.way = id
    const found = rows.get(id)
    if (!found?.[phase]) {
      const words = found?.missing ? `not measured: ${found.missing}` : '–'
      row.append(make('td', { className: 'none', colSpan: columns.length }, words))
      return row
    }
    columns.forEach(([, of, digits], c) => {
      const value = of(found[phase])
      const share = make('span', { className: 'share' })
      share.style.width = `${most[c] > 0 ? Math.max(2, (100 * (value ?? 0)) / most[c]) : 0}%`
      row.append(make('td', {}, value === null ? '–' : value.toFixed(digits), share))
    })
    return row
  })
  $(`#${phase}`).replaceChildren(make('caption', { className: 'aside' }, `What was measured, ${phases[phase]}`), head, make('tbody', {}, ...body))
}

// ---- words ------------------------------------------------------------------------------------------

const total = (figures) => figures.bytes_per_message.up + figures.bytes_per_message.down

function say() {
  const of = (id, phase) => rows.get(id)?.[phase]
  const [old, kept, h2, ws, deflated] = ['http-1.0', 'http-1.1', 'http-2', 'websocket', 'websocket-deflated'].map((id) => of(id, 'talk'))
  const words = []
  if (old && kept && old.requests === old.connections)
    words.push(`By HTTP/1.0, 10 requests are 10 connections: here ${old.requests} were ${old.connections}. By HTTP/1.1 ${kept.requests} were ${kept.connections}.`)
  if (kept && ws)
    words.push(`A message there and back is ${Math.round(total(kept))} bytes by HTTP/1.1${h2 ? `, ${Math.round(total(h2))} by HTTP/2,` : ''} and ${Math.round(total(ws))} by WebSocket.`)
  if (ws && deflated) words.push(`Deflated it is ${Math.round(total(deflated))}.`)
  const [asked, told] = [of('http-1.1', 'push'), of('websocket', 'push')]
  if (asked && told)
    words.push(`Who asks hears of a message ${asked.latency_ms.p50.toFixed(0)} ms late in the middle; who is told by WebSocket, ${told.latency_ms.p50.toFixed(2)} ms.`)
  $('#words').replaceChildren(...(words.length > 0 ? words : ['Nothing was measured yet.']).map((text) => make('li', {}, text)))
}

// ---- what comes --------------------------------------------------------------------------------------

let is_running = false

function progress(text, running) {
  is_running = running
  $('#progress').textContent = text
  $('#measure').disabled = running || !is_allowed
}

function mark(way) {
  for (const row of document.querySelectorAll('tbody tr')) row.classList.toggle('now', row.dataset.way === way)
}

function redraw() {
  fill('talk')
  fill('push')
  say()
}

const on = {
  begun() {
    rows = new Map()
    for (const plot of Object.values(plots)) plot.clear(ways.length)
    redraw()
    progress('Measuring…', true)
  },
  samples({ way, phase, from, latency_ms }) {
    plots[phase].add(numberOf(way), from, latency_ms)
    progress(`Measuring ${ways[numberOf(way)][1]}, ${phases[phase]}…`, true)
    mark(way)
  },
  row({ row }) {
    rows.set(row.way, row)
    redraw()
  },
  done({ report }) {
    $('.size').textContent = report.message_bytes
    $('.rate').textContent = report.push_per_second
    $('.ask').textContent = report.asks_every_ms
  },
  ended() {
    mark()
    progress('Measured.', false)
  },
  failed({ why }) {
    mark()
    progress(`It failed: ${why || 'the process ended'}`, false)
  },
}

function onmessage(message) {
  if (Object.hasOwn(on, message.event)) on[message.event](message)
}

// ---- the stream and the button ------------------------------------------------------------------------

let is_allowed = false
let is_there = true
const none = 'No comparisons here: this server runs without --demo.'

function onstate(state, info) {
  is_allowed = is_there && state === 'live'
  show($('#state'), is_there ? explain(state, info) : ['bad', none])
  $('#measure').disabled = is_running || !is_allowed
}

// Whether a run is under way, and can be at all. While there is no answer nothing is known: the next state asks again.
async function look() {
  const answer = await fetch('/demo/compare', { cache: 'no-store' }).catch(() => null)
  is_there = answer?.status !== 404
  if (!is_there) {
    onstate('refused')
    progress('From a shell: duplex compare', false)
  }
  if (answer?.ok && !(await answer.json()).running && is_running) progress('It ended in between.', false)
}

for (const element of document.querySelectorAll('.origin')) element.textContent = location.origin
for (const plot of Object.values(plots)) plot.clear(ways.length)
redraw()
await look()
// From the start: what was measured last is there at once. After a gap (another server, many runs) it has to be asked.
new Stream('/live/$sys/compare/runs', { type: 'application/json' }).subscribe(onmessage, { offset: '-1', onstate, ongap: look })

$('#measure').addEventListener('click', async () => {
  progress('Starting…', true)
  try {
    const answer = await fetch('/demo/compare', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })
    if (answer.status !== 202 && answer.status !== 409)
      progress(`The server refused (${answer.status}): ${(await answer.json()).detail}`, false)
  } catch {
    progress('The server did not answer. Try again when it is back.', false)
  }
})

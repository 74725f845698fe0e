// The ticker's page: a board of all instruments, and a chart and the book of one.
// Is:     the board's stream for all, and that of one instrument; what comes is noted, and drawn in turns.
// Is not: the feed (examples/ticker.c).
// SPDX-License-Identifier: MIT
import { Chart } from '/ticker/chart.js'
import { $, Line, bytes, count, explain, follow, make, show } from '/page.js'

const line = new Line()
const rows = new Map() // by name: what is known of an instrument, and where it is shown
const byIndex = []
const latencies = [] // ms, of this second
let clockAhead = 0 // the server's clock, compared with ours: ms
let chosen
let chart

// ---- the board --------------------------------------------------------------------------------------

function addRow(instrument) {
  const button = make('button', { type: 'button', onclick: () => choose(instrument.name) },
    `${instrument.name} `, make('small', {}, instrument.title))
  // Texts that change stand in boxes whose layout is nobody else's business.
  const price = make('div', { className: 'cell price' }, instrument.start.toFixed(instrument.digits))
  const change = make('div', { className: 'cell' }, '0.00 %')
  const bids = make('i')
  const element = make('tr', {}, make('td', {}, button), make('td', {}, price), make('td', {}, change), make('td', {}, make('span', { className: 'pressure' }, bids)))
  $('#board').append(element)
  const row = { ...instrument, element, price, change, bids, last: null, shown: null, flashedAt: 0 }
  rows.set(instrument.name, row)
  byIndex.push(row)
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0)

// What has changed since the last frame.
function drawRow(row, now) {
  const { last, shown } = row
  if (row.price.dataset.flash && now - row.flashedAt > 250) delete row.price.dataset.flash
  if (!last || last === shown) return
  if (!shown || shown.p !== last.p) {
    row.price.textContent = last.p.toFixed(row.digits)
    const percent = Math.round((last.p / row.start - 1) * 10000) / 100
    row.change.textContent = `${percent > 0 ? '+' : percent < 0 ? '−' : ''}${Math.abs(percent).toFixed(2)} %`
    row.change.className = `cell ${percent > 0 ? 'up' : percent < 0 ? 'down' : ''}`
    if (shown) {
      row.price.dataset.flash = last.p > shown.p ? 'up' : 'down'
      row.flashedAt = now
    }
  }
  const bids = sum(last.b)
  row.bids.style.transform = `scaleX(${(bids / (bids + sum(last.a))).toFixed(3)})`
  row.shown = last
}

// ---- the book ---------------------------------------------------------------------------------------

const levels = Array.from({ length: 5 }, () => {
  const cells = Array.from({ length: 4 }, (_, i) => make('td', {}, ...(i % 3 ? [] : [make('i')]), make('span', { className: 'cell' }, '–')))
  $('#book').append(make('tr', {}, ...cells))
  return cells.map((cell) => ({ text: $('span', cell), bar: $('i', cell) }))
})

function drawBook(row) {
  const tick = 10 ** -row.digits
  const most = Math.max(...row.last.b, ...row.last.a)
  levels.forEach(([bidSize, bid, ask, askSize], i) => {
    bid.text.textContent = (row.last.p - tick * (i + 1)).toFixed(row.digits)
    ask.text.textContent = (row.last.p + tick * (i + 1)).toFixed(row.digits)
    bidSize.text.textContent = row.last.b[i]
    askSize.text.textContent = row.last.a[i]
    bidSize.bar.style.transform = `scaleX(${row.last.b[i] / most})`
    askSize.bar.style.transform = `scaleX(${row.last.a[i] / most})`
  })
}

// ---- one instrument ---------------------------------------------------------------------------------

function choose(name) {
  chosen?.element.removeAttribute('aria-current')
  chosen = rows.get(name)
  chosen.element.setAttribute('aria-current', 'true')
  $('#chart-title').textContent = `${chosen.title} (${name})`
  chart?.close()
  chart = new Chart({ element: $('#chart'), url: feed.streams + name, digits: chosen.digits, line, say: (words) => { $('#join').textContent = words } })
  $('#url').textContent = feed.streams + name
  if (chosen.last) drawBook(chosen)
}

// ---- all of it --------------------------------------------------------------------------------------

let updates = 0
function takeBoard({ t, u, c }) {
  updates += u
  latencies.push(Date.now() + clockAhead - t)
  for (const change of c) byIndex[change.i].last = change
}

function followBoard() {
  follow(feed.board, takeBoard, {
    type: 'application/json',
    line,
    last: 100,
    onstate: (state, info) => show($('#state'), explain(state, info)),
    ongap: () => {}, // a price that went by is of no use on a board; the chart tells
  })
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1]

// Nobody reads a price that stands for a sixtieth of a second: a row, and the book, is looked at every sixth frame, each
// frame at other rows. So a frame's work stays small however much comes, and all frames are alike.
const TURNS = 6

let frames = 0
function everySecond() {
  $('#updates').textContent = count(updates)
  $('#messages').textContent = count(line.messages)
  $('#bytes').textContent = bytes(line.bytes)
  $('#frames').textContent = count(frames)
  if (latencies.length) $('#latency').textContent = `${Math.max(0, median(latencies)).toFixed(1)} ms`
  updates = line.messages = line.bytes = frames = latencies.length = 0
}

function frame(now) {
  const turn = frames++ % TURNS
  for (let i = turn; i < byIndex.length; i += TURNS) {
    const row = byIndex[i]
    const isNew = row.last && row.last !== row.shown
    drawRow(row, now)
    if (isNew && row === chosen) drawBook(row)
  }
  chart?.draw(now)
  requestAnimationFrame(frame)
}

// Of three tries the quickest tells the time best.
async function compareClocks() {
  let best = Infinity
  for (let i = 0; i < 3; i++) {
    const begun = performance.now()
    const { now } = await (await fetch('/demo/ticker')).json()
    const took = performance.now() - begun
    if (took < best) {
      best = took
      clockAhead = now + took / 2 - Date.now()
    }
  }
}

function showRate(rate) {
  $('#rate').value = rate
  $('#rate-now').textContent = rate
}

$('#rate').addEventListener('input', () => { $('#rate-now').textContent = $('#rate').value })
$('#rate').addEventListener('change', async () => {
  const answer = await fetch(`/demo/ticker?rate=${$('#rate').value}`, { method: 'POST' }).catch(() => null)
  if (answer?.ok) showRate((await answer.json()).rate)
  else show($('#state'), ['bad', 'The rate could not be changed: the server did not take it.'])
})
$('#rate-form').addEventListener('submit', (event) => event.preventDefault())

async function load() {
  for (let pause = 1000; ; pause = Math.min(2 * pause, 15000)) {
    const answer = await fetch('/demo/ticker').catch(() => null)
    if (answer?.ok) return answer.json()
    if (answer?.status === 404) show($('#state'), ['bad', 'This server runs without the demos. Start it with: duplex serve --demo'])
    else show($('#state'), explain('waiting', { retry_ms: pause }))
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

const feed = await load()
showRate(feed.rate)
$('#rate').disabled = false
await compareClocks().catch(() => {})
feed.instruments.forEach(addRow)
followBoard()
choose(feed.instruments[0].name)
setInterval(everySecond, 1000)
requestAnimationFrame(frame)

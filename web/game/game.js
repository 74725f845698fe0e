// The game's page: the connection, what one wants, and the picture.
// Is:     a plain WebSocket with binary messages, which comes back by itself.
// Is not: what happens in the arena (examples/game.c).
// SPDX-License-Identifier: MIT
import { $, bytes, make, show } from '/page.js'
import { World, inputBytes, nameBytes } from '/game/world.js'

const world = new World()
const counts = { snapshots: 0, frames: 0, bytes: 0 }
let socket
let fails = 0

// ---- the connection ---------------------------------------------------------------------------------

const send = (data) => socket?.readyState === WebSocket.OPEN && socket.send(data)

function connect() {
  show($('#state'), ['wait', 'Connecting…'])
  const begun = performance.now()
  let isOpen = false
  socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/demo/game`)
  socket.binaryType = 'arraybuffer'
  socket.onopen = () => {
    isOpen = true
    fails = 0
    send(nameBytes($('#name').value))
    sendInput(true)
  }
  socket.onmessage = ({ data }) => {
    counts.bytes += data.byteLength
    const what = world.take(data)
    if (what === 'snapshot') counts.snapshots++
    if (what === 'welcome') show($('#state'), ['live', 'Live, by WebSocket'])
    if (what === 'pong') $('#ping').textContent = `${world.pingMs.toFixed(1)} ms`
  }
  socket.onclose = ({ code, reason }) => again(isOpen, code, reason, performance.now() - begun)
}

async function again(wasOpen, code, reason, took) {
  const pause = Math.min(500 * 2 ** fails++, 10000) * (0.5 + Math.random() / 2)
  const soon = `Trying again in ${Math.max(1, Math.round(pause / 1000))} s.`
  let words = `The line was lost. ${soon}`
  if (navigator.onLine === false) words = 'This device is offline. It goes on by itself when the network is back.'
  else if (code === 1001) words = `The server is restarting. ${soon}`
  else if (code === 1013) words = `${reason === 'the arena is full' ? 'Fifty people are in the arena: it is full.' : 'The server is too busy.'} ${soon}`
  else if (!wasOpen && took < 5000 && await isWithoutDemos()) words = `This server runs without the game. Start it with: duplex serve --demo. ${soon}`
  else if (!wasOpen) words = `No answer from the server. ${soon}`
  show($('#state'), [/without/.test(words) ? 'bad' : 'wait', words])
  setTimeout(connect, pause)
}

// A page is not told why a WebSocket was refused.
const isWithoutDemos = () => fetch('/demo/game').then(({ status }) => status === 404, () => false)

setInterval(() => send(world.pingBytes()), 1000)

// ---- what one wants ---------------------------------------------------------------------------------

const canvas = $('#canvas')
const keys = new Set()
const ways = { ArrowUp: [0, -1], KeyW: [0, -1], ArrowDown: [0, 1], KeyS: [0, 1], ArrowLeft: [-1, 0], KeyA: [-1, 0], ArrowRight: [1, 0], KeyD: [1, 0] }
let pointer // where it is pressed, in the arena
let sent = '0,0'

function wish() {
  if (pointer) {
    const me = world.snapshots.at(-1)?.players.get(world.id)
    const [x, y] = me ? [pointer.x - me.x, pointer.y - me.y] : [0, 0]
    const far = Math.hypot(x, y)
    return far < 8 ? [0, 0] : [x / Math.max(far, 60), y / Math.max(far, 60)]
  }
  const [x, y] = [...keys].reduce(([a, b], key) => [a + ways[key][0], b + ways[key][1]], [0, 0])
  const far = Math.hypot(x, y) || 1
  return [x / far, y / far]
}

function sendInput(isAnew) {
  const [x, y] = wish()
  const now = `${x.toFixed(2)},${y.toFixed(2)}`
  if (now === sent && isAnew !== true) return
  sent = now
  send(inputBytes(x, y))
}

const isTyping = (event) => event.target.matches?.('input')
addEventListener('keydown', (event) => {
  if (!(event.code in ways) || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  keys.add(event.code)
  sendInput()
})
addEventListener('keyup', ({ code }) => keys.delete(code) && sendInput())
addEventListener('blur', () => (keys.clear(), (pointer = undefined), sendInput()))

const place = ({ offsetX, offsetY }) => ({ x: (offsetX / canvas.clientWidth) * world.width, y: (offsetY / canvas.clientHeight) * world.height })
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId)
  pointer = place(event)
})
canvas.addEventListener('pointermove', (event) => pointer && (pointer = place(event)))
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => ((pointer = undefined), sendInput()))
setInterval(() => pointer && sendInput(), 50)

$('#name').value = localStorage.getItem('duplex-game') ?? `guest ${Math.floor(Math.random() * 900 + 100)}`
$('#name').addEventListener('change', () => {
  localStorage.setItem('duplex-game', $('#name').value)
  send(nameBytes($('#name').value || 'somebody'))
})
$('#me').addEventListener('submit', (event) => (event.preventDefault(), canvas.focus()))

// ---- the picture ------------------------------------------------------------------------------------

const paint = canvas.getContext('2d', { alpha: false })
const hue = (id) => (id * 137) % 360

function fit() {
  const scale = Math.min(devicePixelRatio || 1, 2)
  const width = Math.max(320, Math.round(canvas.clientWidth * scale))
  if (canvas.width === width) return
  canvas.width = width
  canvas.height = Math.round((width * world.height) / world.width)
}
new ResizeObserver(fit).observe(canvas)

function drawPlayer({ id, x, y, score, isHuman, name }) {
  const isMe = id === world.id
  const size = 11 + Math.min(9, Math.sqrt(score))
  paint.beginPath()
  paint.arc(x, y, size, 0, 2 * Math.PI)
  paint.fillStyle = isHuman ? `hsl(${hue(id)} 85% 62%)` : `hsl(${hue(id)} 25% 45%)`
  paint.fill()
  if (isMe) {
    paint.lineWidth = 3
    paint.strokeStyle = '#fff'
    paint.stroke()
  }
  const zoom = Math.max(1, 700 / canvas.clientWidth) // names are to be read on a phone, too: those of humans
  if (zoom > 1 && !isHuman) return
  paint.fillStyle = isHuman ? '#fff' : '#9aa7bd'
  paint.font = `${isMe ? 600 : 400} ${(isHuman ? 17 : 13) * zoom}px system-ui, sans-serif`
  paint.fillText(name, x, y > 40 ? y - size - 6 : y + size + 18)
}

function draw(now) {
  counts.frames++
  paint.setTransform(canvas.width / world.width, 0, 0, canvas.height / world.height, 0, 0)
  paint.fillStyle = '#0c1220'
  paint.fillRect(0, 0, world.width, world.height)
  paint.textAlign = 'center'
  paint.fillStyle = '#5fe3c0'
  for (const [x, y] of world.snapshots.at(-1)?.crystals ?? []) {
    paint.beginPath()
    paint.moveTo(x, y - 8)
    paint.lineTo(x + 6, y)
    paint.lineTo(x, y + 8)
    paint.lineTo(x - 6, y)
    paint.fill()
  }
  const players = world.at(now)
  players.sort((a, b) => a.isHuman - b.isHuman || (a.id === world.id) - (b.id === world.id)) // oneself on top
  for (const player of players) drawPlayer(player)
  requestAnimationFrame(draw)
}

// ---- figures ------------------------------------------------------------------------------------------

let toldScore = 0
function everySecond() {
  $('#tick').textContent = `${(world.tickUs / 1000).toFixed(2)} ms`
  $('#ticks').textContent = counts.snapshots
  $('#frames').textContent = counts.frames
  $('#bytes').textContent = bytes(counts.bytes)
  counts.snapshots = counts.frames = counts.bytes = 0
  const players = [...(world.snapshots.at(-1)?.players ?? [])]
  if (!players.length) return
  const humans = players.filter(([, { isHuman }]) => isHuman).length
  $('#players').textContent = `${humans} + ${players.length - humans} bots`
  $('#best').replaceChildren(...players.sort(([, a], [, b]) => b.score - a.score).slice(0, 5).map(([id, { score }]) =>
    make('li', { className: id === world.id ? 'me' : '' }, `${world.names.get(id) ?? ''}: ${score}`)))
  const mine = new Map(players).get(world.id)?.score ?? 0
  if (mine >= toldScore + 5 || mine < toldScore) {
    toldScore = mine
    $('#told').textContent = `You have ${mine} crystals.`
  }
}

document.game = { world } // for who looks behind the picture, and for tests
setInterval(everySecond, 1000)
requestAnimationFrame(draw)
connect()

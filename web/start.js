// The start page: the server's figures and one stream to play with.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import { $, bytes, count, explain, explainGap, follow, make, show } from '/page.js'

// ---- figures --------------------------------------------------------------------------------------

// Counters grow; two of them make a rate.
let before
function figures(now) {
  const text = { connections: count(now.connections), memory: bytes(now.memory) }
  if (before && now.t > before.t) {
    const rate = (name) => Math.max(0, ((now[name] - before[name]) * 1000) / (now.t - before.t))
    text.published = count(rate('published'))
    text.delivered = count(rate('delivered'))
    text.out = bytes(rate('bytes_out'))
    text.cpu = `${(rate('cpu') / 10).toFixed(1)} %`
  }
  before = now
  for (const [id, words] of Object.entries(text)) $(`#${id}`).textContent = words
}

follow('/live/$sys/stats', figures, {
  type: 'application/json',
  onstate: (state, info) => show($('#state'), explain(state, info)),
  ongap: () => {}, // old figures are of no use
})

// ---- a stream to play with ------------------------------------------------------------------------

for (const element of document.querySelectorAll('.origin')) element.textContent = location.origin
for (const element of document.querySelectorAll('.socket')) element.textContent = location.origin.replace(/^http/, 'ws')

const hello = new Stream('/live/hello', { type: 'text/plain' })
const heard = $('#heard')

function say(words) {
  heard.append(make('li', {}, words))
  while (heard.children.length > 100) heard.firstChild.remove()
  heard.scrollTop = heard.scrollHeight
}

follow('/live/hello', (text) => say(typeof text === 'string' ? text : JSON.stringify(text)), {
  offset: '-1',
  ongap: (gap) => say(`(${explainGap(gap)})`),
})

$('#say').addEventListener('submit', async (event) => {
  event.preventDefault()
  const words = $('#words').value.trim() || $('#words').placeholder
  $('#words').value = ''
  try {
    await hello.publish(words)
  } catch (error) {
    say(`(“${words}” was not published: ${error.detail || error.message})`)
  }
})

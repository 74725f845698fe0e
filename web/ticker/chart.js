// A chart whose past comes by HTTP and whose present comes by WebSocket, from where the past ended.
// Is:     the join, checked by the numbers of the changes; drawing a few times a second.
// SPDX-License-Identifier: MIT
import { Stream } from '/lib/duplex.js'
import '/lib/dygraph.js'
import { explainGap } from '/page.js'

const { Dygraph } = globalThis
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend) // it writes inline styles
const PAST = 2000
const KEPT = 1000 // points; older ones are thinned out, so that the join stays to be seen
const DRAW_MS = 200 // at least, between two drawings,
const DRAW_SHARE = 10 // and so many times what one takes: frames are for the board, too

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

export class Chart {
  #points = [] // [time, past or null, present or null]
  #drawnAt = 0
  #pause = 0
  #saidAt = 0
  #isNew = false
  #number // of the last change
  #missing = 0
  #doubled = 0
  #join // time of it
  #past = 0
  #present = 0

  constructor({ element, url, digits, line, say }) {
    Object.assign(this, { say })
    this.stream = new Stream(url, { type: 'application/json', WebSocket: line.WebSocket, fetch: line.fetch })
    this.graph = new Dygraph(element, [[new Date(), null, null]], {
      labels: ['time', 'past', 'present'],
      colors: [colour('--soft'), colour('--accent')],
      strokeWidth: 1.5,
      connectSeparatedPoints: true,
      interactionModel: {},
      gridLineColor: colour('--line'),
      axisLineColor: colour('--line'),
      axes: {
        x: { axisLabelFormatter: (date) => clock.format(date), pixelsPerLabel: 90 },
        y: { axisLabelFormatter: (price) => price.toFixed(digits), axisLabelWidth: 64, includeZero: false },
      },
      underlayCallback: (canvas, area, graph) => this.#drawJoin(canvas, area, graph),
    })
    this.#load()
  }

  // What was there is read once; what comes is read from that cursor on.
  async #load() {
    try {
      const past = await this.stream.last(PAST)
      for (const change of past) this.#take(change, false)
      this.#join = past.at(-1)?.t
      if (past.length) this.#points[this.#points.length - 1][2] = past.at(-1).p // so that the lines touch
      this.stream.subscribe((change) => this.#take(change, true), {
        offset: past.offset,
        ongap: (gap) => {
          this.#number = undefined
          this.say(explainGap(gap))
        },
      })
    } catch (error) {
      if (error.code !== 'stopped') this.say(`The past could not be read: ${error.detail || error.message}`)
    }
  }

  #take({ n, t, p }, isLive) {
    if (this.#number !== undefined && n > this.#number + 1) this.#missing += n - this.#number - 1
    if (this.#number !== undefined && n <= this.#number) this.#doubled++
    this.#number = n
    if (isLive) this.#present++
    else this.#past++
    this.#points.push([new Date(t), isLive ? null : p, isLive ? p : null])
    if (this.#points.length > KEPT)
      this.#points = this.#points.filter(([, past, present], i) => i > KEPT / 2 || i % 2 === 0 || (past !== null && present !== null))
    this.#isNew = true
  }

  #drawJoin(canvas, area, graph) {
    if (!this.#join) return
    const x = graph.toDomXCoord(this.#join)
    if (x < area.x || x > area.x + area.w) return
    canvas.strokeStyle = colour('--warn')
    canvas.setLineDash([5, 4])
    canvas.beginPath()
    canvas.moveTo(x, area.y)
    canvas.lineTo(x, area.y + area.h)
    canvas.stroke()
    canvas.setLineDash([])
    canvas.fillStyle = colour('--warn')
    canvas.font = '12px system-ui, sans-serif'
    const isRoom = x + 90 < area.x + area.w
    canvas.textAlign = isRoom ? 'left' : 'right'
    canvas.fillText('here they join', isRoom ? x + 5 : x - 5, area.y + 12)
  }

  get counts() {
    return { past: this.#past, present: this.#present, missing: this.#missing, doubled: this.#doubled, last: this.#number }
  }

  // From the frame loop: now and then, and only if there is something new.
  draw(now) {
    if (!this.#isNew || now - this.#drawnAt < this.#pause) return
    this.#isNew = false
    this.#drawnAt = now
    const begun = performance.now()
    this.graph.updateOptions({ file: this.#points })
    this.#pause = Math.max(DRAW_MS, DRAW_SHARE * (performance.now() - begun))
    if (now - this.#saidAt < 1000) return
    this.#saidAt = now
    const { past, present, missing, doubled } = this.counts
    this.say(`${past} changes by HTTP, then ${present} by WebSocket: ${missing || 'none'} missing, ${doubled || 'none'} doubled.`)
  }

  close() {
    this.stream.close()
    this.graph.destroy()
  }
}

// A plot of latencies that grows while they come: one dot for each message, one colour for each way.
// SPDX-License-Identifier: MIT

const least = 0.01 // milliseconds at the bottom
const left = 56
const foot = 18

export class Plot {
  #canvas
  #dots = [] // [way, n, ms]
  #ways = 0
  #span
  #is_due = false

  // span: of the numbers that a way has, until more come.
  constructor(canvas, span) {
    this.#canvas = canvas
    this.#span = span
    new ResizeObserver(() => this.#draw()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw())
  }

  clear(ways) {
    this.#dots = []
    this.#ways = ways
    this.#draw()
  }

  add(way, from, latencies) {
    latencies.forEach((ms, i) => this.#dots.push([way, from + i, ms]))
    if (this.#is_due) return
    this.#is_due = true
    requestAnimationFrame(() => {
      this.#is_due = false
      this.#draw()
    })
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    if (width === 0) return
    const scale = devicePixelRatio || 1
    const to = this.#canvas.getContext('2d')
    this.#canvas.width = width * scale
    this.#canvas.height = height * scale
    to.scale(scale, scale)
    const style = getComputedStyle(this.#canvas)
    const most = this.#dots.reduce((most, [, , ms]) => Math.max(most, ms), 100)
    const y = (ms) => height - foot - (Math.log10(Math.max(ms, least) / least) / Math.log10(most / least)) * (height - foot - 8)
    this.#axis(to, style, { width, height, most, y })
    if (this.#ways === 0) return
    // A way after the other, from left to right, each with its share of the width.
    const share = (width - left) / this.#ways
    const colours = Array.from({ length: this.#ways }, (_, i) => style.getPropertyValue(`--w${i}`).trim())
    const spans = new Array(this.#ways).fill(this.#span)
    for (const [way, n] of this.#dots) spans[way] = Math.max(spans[way], n + 1)
    to.globalAlpha = 0.55
    for (const [way, n, ms] of this.#dots) {
      to.fillStyle = colours[way]
      to.fillRect(left + share * (way + 0.04 + 0.92 * (n / spans[way])), y(ms) - 1, 2, 2)
    }
    to.globalAlpha = 1
  }

  #axis(to, style, { width, height, most, y }) {
    to.font = '12px system-ui, sans-serif'
    to.textAlign = 'right'
    to.textBaseline = 'middle'
    for (let ms = least; ms <= most * 1.0001; ms *= 10) {
      to.fillStyle = style.getPropertyValue('--line').trim()
      to.fillRect(left, Math.round(y(ms)), width - left, 1)
      to.fillStyle = style.getPropertyValue('--soft').trim()
      to.fillText(`${+ms.toFixed(2)} ms`, left - 4, Math.min(y(ms), height - 8))
    }
  }
}

// What TypeScript must accept of the browser client, and what it must refuse.
// SPDX-License-Identifier: MIT
import { DuplexError, Stream } from '../../clients/js/index.js'
import type { Gap, Offset, State } from '../../clients/js/index.js'

interface Price { symbol: string; price: number }

const prices = new Stream<Price>('/live/prices', { token: async () => 'secret', doors: ['websocket', 'sse'] })

export async function use(): Promise<Offset> {
  const recent = await prices.last(50)
  const first: number = recent[0].price
  const past = prices.history(recent.offset)
  for await (const { symbol } of past) symbol.toUpperCase()
  const sub = prices.subscribe(({ price }, { offset }) => price + first + (offset?.length ?? 0), {
    offset: past.offset,
    onstate: (state: State, { error, retry_ms }) => (state === 'waiting' && error instanceof DuplexError ? retry_ms : 0),
    ongap: ({ lost }: Gap) => lost ?? 'unknown',
  })
  const { offset, duplicate } = await prices.publish({ symbol: 'BTC', price: 1 })
  const here = prices.presence<{ name: string }>(({ members }) => members.get('ann')?.name, { data: { name: 'Ann' } })
  here.update({ name: 'Bob' })
  here.close()
  sub.close()
  await prices.create('application/json')
  const info = await prices.info()
  prices.close()
  return duplicate ? info.offset : offset ?? sub.offset
}

export async function misuse() {
  // @ts-expect-error a door that there is not
  new Stream('/live/x', { doors: ['carrier-pigeon'] })
  // @ts-expect-error the price is a number
  await prices.publish({ symbol: 'BTC', price: 'high' })
  // @ts-expect-error a cursor is a string
  prices.subscribe(() => {}, { offset: 7 })
  // @ts-expect-error not to be set
  prices.url = '/live/y'
  const error = new DuplexError('offline')
  // @ts-expect-error no such name
  if (error.code === 'oh_dear') return
}

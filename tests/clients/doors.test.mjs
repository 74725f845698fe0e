// One stream read through every door in turn: a cursor from one opens the others, and nothing is lost or
// comes twice, whatever is cut off on the way.
// Is:     numbered messages, a reader that changes its door every 100, connections cut at random.
// Is not: each door by itself (the other files here, src/serve/test_door_*.c).
// More seeds: DOORS_SEEDS=20 node --test doors.test.mjs
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import test from 'node:test';
import WebSocket from 'ws';

import { certificate, served } from './certificates.mjs';
import { believe, ca, Inbox, patience_ms, request, serve, within } from './helper.mjs';

const perDoor = 100; // then the reader changes
const ahead = 400; // how far the publisher runs in front of the reader
const seeds = Number(process.env.DOORS_SEEDS ?? 2);

// The numbers of one seed: mulberry32's idea of a small generator is enough to be repeatable.
function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Publishes {"n":1}, {"n":2}, … over duplex.v1, never far in front of the reader. cursorOf(n) is what the
// acknowledgement of n said.
class Publisher {
  #cursors = ['-1'];
  #socket;

  constructor(url) {
    this.#socket = new WebSocket(`${url}?read=0`, ['duplex.v1'], { ca });
    this.acks = new Inbox();
    this.#socket.on('message', (data) => {
      const control = JSON.parse(data.toString());
      if (control.error !== undefined) return this.acks.end(control);
      if (control.ack !== undefined) this.acks.push(control);
    });
    this.#socket.on('close', (code, reason) => this.acks.end(`closed: ${code} ${reason}`));
    this.#socket.on('error', (error) => this.acks.end(error.message));
    this.open = new Promise((resolve) => this.#socket.on('open', resolve));
  }

  cursorOf(n) {
    return this.#cursors[n];
  }

  async publishUpTo(last) {
    const first = this.#cursors.length;
    for (let n = first; n <= last; n++) this.#socket.send(`m${n}\n{"n":${n}}`);
    for (let n = first; n <= last; n++) {
      const { ack, offset } = await this.acks.take();
      assert.equal(ack, `m${n}`);
      assert.ok(n === 1 || offset > this.#cursors[n - 1], 'offsets sort as text');
      this.#cursors.push(offset);
    }
  }

  close() {
    this.#socket.close();
  }
}

// ---- doors: each gives what it reads to `take`, which says whether it is enough -------------------

// What a door's reader notes. take(n, cursor) returns true when the door is to be left.
class Reader {
  constructor(publisher, rand) {
    this.publisher = publisher;
    this.rand = rand;
    this.seen = 0;
    this.cuts = 0;
    this.told = [];
  }

  checkCursors() {
    for (const [n, cursor] of this.told.splice(0))
      assert.equal(cursor, this.publisher.cursorOf(n), `the cursor of ${n}`);
  }

  get cursor() {
    return this.publisher.cursorOf(this.seen);
  }

  enter() {
    this.left = perDoor;
    this.isCut = this.rand(3) === 0;
    if (this.isCut) this.left = 1 + this.rand(perDoor - 1);
    this.cuts += this.isCut;
  }

  take(n, cursor) {
    assert.equal(n, this.seen + 1, `after ${this.seen} comes ${this.seen + 1}, not ${n}`);
    if (cursor !== undefined) this.told.push([n, cursor]); // its acknowledgement may still be on its way
    this.seen = n;
    return --this.left <= 0;
  }
}

const get = (url, options, take) => (url.startsWith('https:') ? https : http).get(url, { agent: false, ca, ...options }, take);

async function byGet(url, reader) {
  const { status, headers, body } = await request(`${url}?offset=${reader.cursor}`);
  assert.equal(status, 200, body.toString());
  for (const { n } of JSON.parse(body)) reader.take(n);
  reader.told.push([reader.seen, headers['stream-next-offset']]);
}

// The answer is cut while it is read: nothing of it counts, for its cursor stands in its head, but its content
// is not whole.
function byGetCut(url, reader) {
  return new Promise((resolve, reject) => {
    const outgoing = get(`${url}?offset=${reader.cursor}`, {}, (response) => {
      response.once('data', () => (response.destroy(), resolve()));
      response.once('end', resolve);
    });
    outgoing.on('error', reject);
  });
}

async function byLongPoll(url, reader) {
  const { status, headers, body } = await request(`${url}?offset=${reader.cursor}&live=long-poll`);
  assert.ok(status === 200 || status === 204, `${status} ${body}`);
  if (status === 200) for (const { n } of JSON.parse(body)) reader.take(n);
  reader.told.push([reader.seen, headers['stream-next-offset']]);
}

// As an EventSource does it: Last-Event-ID.
function bySse(url, reader) {
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'text/event-stream', 'Last-Event-ID': reader.cursor };
    const outgoing = get(url, { headers }, (response) => {
      let rest = '';
      if (response.statusCode !== 200) return reject(new Error(`SSE: ${response.statusCode}`));
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        const events = (rest + piece).split('\n\n');
        rest = events.pop();
        for (const event of events) {
          const fields = Object.fromEntries(
            event.split('\n').filter((line) => /^\w/.test(line)).map((line) => line.split(/: ?(.*)/s, 2)),
          );
          if (fields.data === undefined || fields.event) continue; // retry, a comment
          let enough;
          try {
            enough = reader.take(JSON.parse(fields.data).n, fields.id);
          } catch (error) {
            return reject(error);
          }
          if (enough) return response.destroy(), resolve();
        }
      });
      response.on('end', () => reject(new Error('the server ended it')));
      response.on('error', () => {}); // our own cut
    });
    outgoing.on('error', reject);
  });
}

function byWebSocket(url, reader, protocols, read) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url}?offset=${reader.cursor}&write=0`, protocols, { ca });
    let isDone = false;
    socket.on('message', (data) => {
      if (isDone) return;
      try {
        isDone = read(data.toString(), reader);
      } catch (error) {
        return reject(error), socket.terminate();
      }
      if (isDone && reader.isCut) socket.terminate();
      else if (isDone) socket.close();
    });
    socket.on('close', (code, reason) => (isDone ? resolve() : reject(new Error(`close ${code} ${reason}`))));
    socket.on('error', (error) => isDone || reject(error));
  });
}

const readRaw = (text, reader) => reader.take(JSON.parse(text).n);

function readV1(text, reader) {
  if (text.startsWith('\n')) {
    assert.ok(JSON.parse(text).caught_up, `a control frame that nobody asked for: ${text}`);
    return false;
  }
  const [offset, payload] = text.split(/\n(.*)/s, 2);
  return reader.take(JSON.parse(payload).n, offset);
}

const doors = [
  ({ url }, reader) => (reader.isCut ? byGetCut(url, reader) : byGet(url, reader)),
  ({ url }, reader) => byLongPoll(url, reader),
  ({ url }, reader) => bySse(url, reader),
  ({ ws }, reader) => byWebSocket(ws, reader, [], readRaw),
  ({ ws }, reader) => byWebSocket(ws, reader, ['duplex.v1'], readV1),
];

async function readThroughAll(server, seed, messages) {
  const stream = { url: `${server.url}/v1/stream/doors-${seed}`, ws: `${server.ws}/v1/stream/doors-${seed}` };
  const created = await request(stream.url, { method: 'PUT', headers: { 'Content-Type': 'application/json' } });
  assert.equal(created.status, 201);
  const publisher = new Publisher(stream.ws);
  const reader = new Reader(publisher, random(seed));
  await within(publisher.open, 'the publisher');
  let publishing = Promise.resolve();
  for (let turn = 0; reader.seen < messages; turn++) {
    assert.ok(turn < 2000, `no end in sight: ${reader.seen}`);
    await publishing; // what was published while the last door was read
    const last = Math.min(messages, reader.seen + ahead);
    publishing = publisher.publishUpTo(last);
    if (reader.seen + perDoor > last - perDoor) await publishing; // at the end a door must not wait for more
    reader.enter();
    reader.left = Math.min(reader.left, messages - reader.seen);
    await within(doors[turn % doors.length](stream, reader), `door ${turn % doors.length}`, patience_ms * 2);
    await publishing;
    reader.checkCursors();
  }
  assert.equal(reader.seen, messages);
  assert.ok(reader.cuts > messages / 1000, `only ${reader.cuts} cuts`);
  publisher.close();
  await server.stop();
}

for (let seed = 1; seed <= seeds; seed++)
  test(`10,000 messages through all doors in turn, connections cut: each once, in order (seed ${seed})`, async () =>
    readThroughAll(await serve('--workers', String(1 + (seed % 2))), seed, 10_000));

test('the same in short over https and wss', async () => {
  const pair = await certificate('doors', { cn: 'localhost', names: 'IP:127.0.0.1' });
  believe(pair.cert);
  const server = await serve('--workers', '2', ...served(pair));
  assert.match(server.url, /^https:/);
  await readThroughAll(server, 3, 2_000);
});

// What the tests of the browser client share: the client as a page loads it, lines that can be cut, servers
// that say what one wants.
// Is:     where the client lives: in this program, or, with CLIENT_IN=Chromium or CLIENT_IN=Firefox, in pages.
// SPDX-License-Identifier: MIT
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, afterEach, test as plainTest } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Browser, isThere } from './client_js_browsers.mjs';
import { FarPage, FarStream } from './client_js_far.mjs';
import { duplex, here, patience_ms, request, Server, within } from './helper.mjs';
import { DuplexError, Stream } from '../../clients/js/duplex.js';

export { DuplexError, Stream };
export const root = fileURLToPath(new URL('../../clients/js/', import.meta.url));
export const doors = ['websocket', 'sse', 'long-poll'];
export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const where = process.env.CLIENT_IN ?? 'Node';
export const seeds = Number(process.env.CLIENT_SEEDS ?? (where === 'Node' ? 2 : 1)); // CLIENT_SEEDS=20 for all
const browser = where === 'Node' ? null : new Browser(where);

// A browser that is not there is skipped.
export const test = (name, options, fn) =>
  plainTest(`${where}: ${name}`, { ...options, skip: Boolean(browser) && !isThere(where) && `there is no ${where}` }, fn);

const streams = new Set();
const pages = new Map(); // by origin, the one used last at the end
const PAGES = 3; // that stay for tests to come
const closers = new Set();
afterEach(async () => {
  streams.forEach((stream) => stream.close());
  streams.clear();
  for (const [origin, page] of [...pages].slice(0, -PAGES)) {
    pages.delete(origin);
    await page.close();
  }
});
after(async () => {
  closers.forEach((close) => close());
  for (const page of pages.values()) await page.close(); // else they complain that their browser has gone
  await browser?.close();
});

// In this program it has what FarStream has.
class NearStream extends Stream {
  constructor(url, options, setup) {
    const seen = {};
    super(url, { ...options, ...setup?.({ WebSocket, fetch, seen }) });
    this.seen = () => seen;
  }

  async run(fn, argument) {
    return fn(this, argument);
  }
}

function pageAt(url) {
  const { origin } = new URL(url);
  const page = pages.get(origin) ?? new FarPage((...args) => browser.load(...args), origin);
  pages.delete(origin);
  pages.set(origin, page);
  return page;
}

// A stream that is impatient, as tests are; ended with the test. setup: a function without surroundings that gives
// more options, of what there is where the client lives: { WebSocket, fetch, seen }; `seen` is what stream.seen() gives.
export function open(url, options, setup) {
  const all = { retry_ms: 50, retry_max_ms: 200, ...options };
  const stream = browser ? new FarStream(pageAt(url), url, all, setup) : new NearStream(url, { WebSocket, ...all }, setup);
  streams.add(stream);
  return stream;
}

// What nobody has caught there, while fn is run with it.
export async function uncaught(fn) {
  const faults = [];
  for (const page of pages.values()) page.uncaught.length = 0;
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => faults.push(error));
  try {
    await fn(() => [...faults, ...[...pages.values()].flatMap((page) => page.uncaught)]);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
}

// The numbers of one seed.
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export async function until(condition, what, ms = (browser ? 3 : 1) * patience_ms) {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await pause(5);
  }
}

// What one subscription is told, in order.
export function listen(stream, options) {
  const told = { values: [], offsets: [], states: [], infos: [], gaps: [] };
  told.sub = stream.subscribe((value, { offset }) => {
    told.values.push(value);
    told.offsets.push(offset);
  }, {
    onstate: (state, info) => (told.states.push(state), told.infos.push(info)),
    ongap: (gap) => told.gaps.push(gap),
    ...options,
  });
  const wait = (condition, what, ms) => until(condition, what, ms).catch((error) => {
    throw new Error(`${error.message}; there are ${told.values.length} messages, and it was ${told.states.slice(-5)}`);
  });
  told.count = (n) => wait(() => told.values.length >= n, `${n} messages`, 4 * patience_ms);
  told.state = async (state) => {
    await wait(() => told.states.includes(state), state);
    return told.infos[told.states.lastIndexOf(state)];
  };
  return told;
}

// A line to a server that can be cut, frozen, and refused.
export class Relay {
  #pairs = new Set();
  isRefusing = false;
  isFrozen = false;
  cuts = 0;

  static async to(port) {
    const relay = new Relay();
    relay.server = net.createServer((near) => relay.#join(near, port));
    relay.server.listen(0, '127.0.0.1');
    await new Promise((resolve) => relay.server.once('listening', resolve));
    relay.port = relay.server.address().port;
    relay.url = `http://127.0.0.1:${relay.port}`;
    closers.add(() => relay.close());
    return relay;
  }

  #join(near, port) {
    if (this.isRefusing) return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (data) => this.isFrozen || to.write(data));
      from.on('error', () => {});
      from.on('close', () => (to.destroy(), this.#pairs.delete(pair)));
    }
  }

  cut() {
    this.cuts += this.#pairs.size;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  // Cuts now and then until it is stopped.
  cutting(rand, ms) {
    let timer;
    const again = () => (timer = setTimeout(() => (this.cut(), again()), 5 + rand(ms)));
    again();
    return () => clearTimeout(timer);
  }

  close() {
    this.server.close();
    this.cut();
  }
}

// A server that answers as one says: answer(request, response).
export async function fake(answer) {
  const told = { requests: [], upgrades: 0 };
  const server = http.createServer((incoming, response) => {
    told.requests.push(`${incoming.method} ${incoming.url}`);
    incoming.resume();
    answer(incoming, response);
  });
  server.on('upgrade', (_, socket) => (told.upgrades++, socket.destroy()));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closers.add(() => (server.close(), server.closeAllConnections?.()));
  return Object.assign(told, { url: `http://127.0.0.1:${server.address().port}/s/fake` });
}

// A server on disk that can be killed and comes back at the same port.
export class Phoenix {
  static async start(directory, ...more) {
    const phoenix = new Phoenix();
    fs.mkdirSync(directory, { recursive: true });
    phoenix.args = ['--no-memory', '--data', path.join(directory, 'data'), ...more];
    phoenix.server = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', ...phoenix.args]);
    phoenix.port = phoenix.server.port;
    phoenix.url = phoenix.server.url;
    return phoenix;
  }

  async die() {
    this.server.kill('SIGKILL');
    await this.server.ended;
  }

  async rise() {
    this.server = await Server.start(duplex, ['serve', '--listen', `127.0.0.1:${this.port}`, ...this.args]);
  }

  stop() {
    return this.server.stop();
  }
}

export async function create(url, type = 'application/json') {
  const { status, body } = await request(url, { method: 'PUT', headers: { 'Content-Type': type } });
  if (status !== 201) throw new Error(`${status} ${body}`);
}

export async function rejection(promise) {
  const error = await within(promise, 'an end').then((value) => { throw new Error(`it went well: ${JSON.stringify(value)}`); }, (e) => e);
  if (!(error instanceof DuplexError)) throw error;
  return error;
}

export { here };

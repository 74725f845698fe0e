// The browser client in a browser's page, used from here as if it were here.
// Is:     for each origin a page that no server has to answer, commands to it in their order, and what it tells.
// Is not: the browsers (client_js_browsers.mjs), the tests.
// SPDX-License-Identifier: MIT
import fs from 'node:fs';
import { DuplexError } from '../../clients/js/duplex.js';

const script = fs.readFileSync(new URL('../../clients/js/duplex.classic.js', import.meta.url), 'utf8');

// What is more than JSON, as JSON and back: bytes, errors, maps, arrays with properties. Runs here and there.
function makeCodec(Fault) {
  const kinds = { ArrayBuffer: (buffer) => buffer, Uint8Array: (buffer) => new Uint8Array(buffer), DataView: (buffer) => new DataView(buffer) };
  const entries = (value) => Object.entries(value).map(([name, of]) => [name, pack(of)]);
  const bytes = (value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const pack = (value) => {
    if (value === undefined) return ['undefined'];
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return ['bytes', value.constructor.name, [...bytes(value)]];
    if (value instanceof Error) return ['error', value.name, value.message, entries(value)];
    if (value instanceof Map) return ['map', [...value].map(pack)];
    if (Array.isArray(value)) return ['array', entries(value)];
    return ['object', entries(value)];
  };
  const unpackers = {
    undefined: () => undefined,
    bytes: (kind, all) => kinds[kind](Uint8Array.from(all).buffer),
    error(name, message, more) {
      const error = name === 'DuplexError' ? new Fault('') : new ({ TypeError, RangeError }[name] ?? Error)(message);
      return Object.assign(error, { message }, unpackers.object(more));
    },
    map: (all) => new Map(all.map(unpack)),
    array: (all) => Object.assign([], unpackers.object(all)),
    object: (all) => Object.fromEntries(all.map(([name, of]) => [name, unpack(of)])),
  };
  const unpack = (value) => (Array.isArray(value) ? unpackers[value[0]](...value.slice(1)) : value);
  return { pack, unpack };
}

const { pack, unpack } = makeCodec(DuplexError);

// Runs in the page: does what it is told, and tells what happens. Things have numbers.
function inhabit(codec) {
  const { Stream, DuplexError: Fault } = window.Duplex;
  const { pack, unpack } = (0, eval)(`(${codec})`)(Fault);
  const things = new Map();
  let events = [];
  let wake;
  const tell = (...event) => {
    events.push(pack(event));
    wake?.();
  };
  addEventListener('error', (event) => {
    event.preventDefault();
    tell('uncaught', event.error);
  });
  const commands = {
    open(id, url, options, setup) {
      const seen = {};
      const more = setup && (0, eval)(`(${setup})`)({ WebSocket, fetch: (...args) => fetch(...args), seen });
      things.set(id, Object.assign(new Stream(url, { ...options, ...more }), { seen }));
    },
    subscribe(id, stream, options) {
      const state = () => ({ offset: things.get(id)?.offset, state: things.get(id)?.state });
      things.set(id, things.get(stream).subscribe((value, info) => tell('value', id, state(), value, info), {
        ...options,
        onstate: (name, info) => tell('state', id, { ...state(), state: name }, name, info),
        ongap: (gap) => tell('gap', id, state(), gap),
      }));
    },
    presence: (id, stream, options) => void things.set(id, things.get(stream).presence((news) => tell('news', id, {}, news),
      { ...options, onerror: (error) => tell('fault', id, {}, error) })),
    history: (id, stream, offset) => void things.set(id, things.get(stream).history(offset)),
    async step(id) {
      const history = things.get(id);
      history.steps ??= history[Symbol.asyncIterator]();
      return { ...(await history.steps.next()), offset: history.offset };
    },
    call: (id, method, args) => things.get(id)[method](...args),
    run: (id, source, argument) => (0, eval)(`(${source})`)(things.get(id), argument),
    seen: (id) => things.get(id).seen,
  };
  const obey = async ([number, name, ...args]) => {
    try {
      tell('reply', number, null, await commands[name](...args));
    } catch (error) {
      tell('reply', number, error);
    }
  };
  window.far = {
    obey: (list) => list.forEach((command) => void obey(unpack(command))),
    async next() {
      if (events.length === 0) await new Promise((resolve) => { wake = resolve; });
      return events.splice(0);
    },
  };
}

// A page at an origin. `load` gives one at a URL, with this HTML whoever listens there: { evaluate, close }.
export class FarPage {
  #queue = [];
  #replies = new Map();
  #things = new Map();
  #numbers = 0;
  #isSending = false;
  #isOver = false;
  uncaught = [];

  constructor(load, origin) {
    this.ready = this.#begin(load, origin);
    this.ready.catch((error) => this.#fail(error));
  }

  async #begin(load, origin) {
    this.page = await load(`${origin}/of-the-tests`, '<!doctype html><link rel="icon" href="data:,"><title>a test</title>');
    await this.page.evaluate(`${script};(${inhabit})(${JSON.stringify(String(makeCodec))})`);
    this.#listen().catch((error) => this.#fail(error));
  }

  #fail(error) {
    if (this.#isOver) return;
    for (const { reject } of this.#replies.values()) reject(error);
    throw error;
  }

  async #listen() {
    while (!this.#isOver)
      for (const event of await this.page.evaluate('window.far.next()')) this.#heard(...unpack(event));
  }

  #heard(what, id, state, ...rest) {
    if (what === 'uncaught') this.uncaught.push(id);
    else if (what === 'reply') {
      const { resolve, reject } = this.#replies.get(id);
      this.#replies.delete(id);
      if (state) reject(state);
      else resolve(...rest);
    } else {
      const { thing, on } = this.#things.get(id);
      Object.assign(thing, state);
      on[what]?.(...rest);
    }
  }

  // Gives a promise of the answer, for who wants to know.
  order(name, ...args) {
    const number = ++this.#numbers;
    const reply = new Promise((resolve, reject) => this.#replies.set(number, { resolve, reject }));
    reply.catch(() => {});
    this.#queue.push(pack([number, name, ...args]));
    this.#send().catch((error) => this.#fail(error));
    return reply;
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    await this.ready;
    while (this.#queue.length > 0) {
      const list = JSON.stringify(this.#queue.splice(0));
      await this.page.evaluate(`window.far.obey(${list})`);
    }
    this.#isSending = false;
  }

  // A thing there, what it is called there, and here; on: what to do with what it tells.
  add(thing, on) {
    const id = ++this.#numbers;
    this.#things.set(id, { thing, on });
    return id;
  }

  async close() {
    this.#isOver = true;
    await this.ready.catch(() => {});
    await this.page?.close();
  }
}

// A Stream that lives in a page. setup: a function without surroundings that runs there, and gives more options.
export class FarStream {
  #page;
  #id;

  constructor(page, url, options, setup) {
    this.#page = page;
    this.#id = page.add(this, {});
    page.order('open', this.#id, url, options, setup && String(setup));
  }

  #call(method, ...args) {
    return this.#page.order('call', this.#id, method, args);
  }

  info() { return this.#call('info'); }
  create(type) { return this.#call('create', type); }
  last(n) { return this.#call('last', n); }
  publish(data) { return this.#call('publish', data); }
  close() { return this.#call('close'); }
  seen() { return this.#page.order('seen', this.#id); }
  // fn: a function without surroundings that is given the Stream there.
  run(fn, argument) { return this.#page.order('run', this.#id, String(fn), argument); }

  subscribe(fn, { onstate, ongap, ...options } = {}) {
    const sub = { state: '' };
    const id = this.#page.add(sub, { value: fn, state: onstate, gap: ongap });
    this.#page.order('subscribe', id, this.#id, options);
    return Object.assign(sub, { close: () => this.#page.order('call', id, 'close', []) });
  }

  presence(fn, { onerror, ...options } = {}) {
    const me = { id: options.id };
    const id = this.#page.add(me, { news: fn, fault: onerror });
    this.#page.order('presence', id, this.#id, options);
    const call = (method) => (...args) => this.#page.order('call', id, method, args);
    return Object.assign(me, { update: call('update'), close: call('close') });
  }

  history(offset) {
    const page = this.#page;
    const stream = this.#id;
    return {
      offset,
      async *[Symbol.asyncIterator]() {
        const id = page.add(this, {});
        page.order('history', id, stream, offset);
        for (;;) {
          const { done, value, offset: at } = await page.order('step', id);
          this.offset = at;
          if (done) return;
          yield value;
        }
      },
    };
  }
}

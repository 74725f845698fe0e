// The browser client when things go wrong: lines cut, servers killed, doors shut, requests refused.
// Is not: what it is for (client_js.test.mjs).
// In browsers, too: client_js_chromium.test.mjs, client_js_firefox.test.mjs.
// More seeds: CLIENT_SEEDS=20 node --test client_js_faults.test.mjs
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import {
  create, doors, DuplexError, fake, listen, open, pause, Phoenix, random, range, rejection, Relay, seeds, test, uncaught, until, where,
} from './client_js.mjs';
import { freshPath, post, request, serve, within } from './helper.mjs';
import { sharedServer } from './scenes.mjs';

const limit = { timeout: 120_000 };
let directory;
before(async () => { directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-client-')); });
after(() => rm(directory, { recursive: true, force: true }));

const policies = `namespaces:
  - {prefix: /s/, creation: put, durability: disk}
  - {prefix: /live/, creation: use, durability: memory}
  - {prefix: /small/, creation: use, durability: memory, message_max: 20B, access: {default: anyone}}
  - {prefix: /slow/, creation: use, durability: memory, rate: 20, access: {default: anyone}}
  - {prefix: /short/, creation: use, durability: memory, kept: {count: 10}, access: {default: anyone}}
  - {prefix: "/u/{sub}/", creation: use, durability: memory}
  - {prefix: /known/, creation: use, durability: memory, access: {default: known}}
  - {prefix: /read/, creation: use, durability: memory, access: {default: anyone, publish: nobody}}
access:
  subject_header: X-Subject
  trusted_from: [127.0.0.1/8]
`;
const shared = sharedServer(async () => {
  const config = path.join(os.tmpdir(), `duplex-client-${process.pid}.yaml`);
  await writeFile(config, policies);
  const server = await serve('--config', config);
  await rm(config);
  return server;
});

// What was published and acknowledged stands in the stream once, in order, at the cursor that was told.
async function checkLog(url, count, acks) {
  const stream = open(url);
  const values = [];
  for await (const n of stream.history()) values.push(n);
  assert.deepEqual(values, range(1, count), 'the stream');
  const told = listen(stream, { offset: '-1' });
  await told.count(count);
  acks.forEach(({ offset, duplicate }, i) => assert.ok(duplicate ? offset === undefined : offset === told.offsets[i], `the cursor of ${i + 1}`));
  stream.close();
}

// ---- lines that are cut --------------------------------------------------------------------------------

for (let seed = 1; seed <= seeds; seed++)
  for (const door of doors)
    test(`${door}: lines are cut again and again: nothing is lost, doubled or out of order (seed ${seed})`, limit, async () => {
      const rand = random(seed);
      const relay = await Relay.to(new URL(shared.url).port);
      const stream = freshPath(`cut-${door}`);
      const count = 150;
      const reader = listen(open(relay.url + stream, { doors: [door] }), { offset: '-1' });
      const writer = open(relay.url + stream, { doors: [door], type: 'application/json' });
      const both = listen(writer, { offset: '-1' });
      const acks = [];
      const stop = relay.cutting(rand, door === 'websocket' ? 60 : 120);
      for (let n = 1; n <= count;) {
        const burst = Math.min(count - n + 1, 1 + rand(20));
        acks.push(...range(n, n + burst - 1).map((value) => writer.publish(value)));
        n += burst;
        await pause(rand(30));
      }
      const answers = await within(Promise.all(acks), 'the acknowledgements', 60_000);
      stop();
      await reader.count(count);
      await both.count(count);
      assert.deepEqual([reader.values, both.values], [range(1, count), range(1, count)]);
      assert.deepEqual([reader.gaps, both.gaps], [[], []]);
      assert.ok(relay.cuts > 5, `${relay.cuts} cuts`);
      await checkLog(shared.url + stream, count, answers);
      relay.close();
    });

for (let seed = 1; seed <= seeds; seed++)
  test(`a server on disk is killed and started again: nothing is lost, doubled or out of order (seed ${seed})`, limit, async () => {
    const rand = random(seed);
    const phoenix = await Phoenix.start(path.join(directory, `seed-${seed}`));
    const url = `${phoenix.url}/s/killed`;
    const count = 240;
    await create(url);
    const readers = doors.map((door) => listen(open(url, { doors: [door] }), { offset: '-1' }));
    const writer = open(url);
    const acks = [];
    for (let n = 1, life = 1; n <= count; n++) {
      acks.push(writer.publish(n));
      if (rand(6) === 0) await pause(rand(10));
      if (n < (life * count) / 4) continue;
      life++;
      await pause(rand(30));
      await phoenix.die();
      await pause(rand(100));
      await phoenix.rise();
    }
    const answers = await within(Promise.all(acks), 'the acknowledgements', 60_000);
    for (const told of readers) await told.count(count);
    for (const told of readers) assert.deepEqual(told.values, range(1, count));
    await checkLog(url, count, answers);
    for (const told of readers) told.sub.close();
    writer.close();
    await phoenix.stop();
  });

test('a stream in memory is gone with its server: publishing goes on, readers are told of the gap', limit, async () => {
  const first = await serve();
  const url = first.url + freshPath('gone');
  const writer = open(url);
  const told = listen(open(url), { offset: '-1' });
  await Promise.all(range(1, 5).map((n) => writer.publish(n)));
  await told.count(5);
  first.kill('SIGKILL');
  await first.ended;
  const waiting = writer.publish(6);
  await told.state('waiting');
  const second = await serve('--listen', new URL(first.url).host);
  assert.ok((await within(waiting, 'the acknowledgement')).offset);
  await told.count(6);
  assert.deepEqual([told.values, told.gaps.map(({ lost }) => lost)], [range(1, 6), [null]]);
  writer.close();
  told.sub.close();
  await second.kill('SIGKILL');
});

for (const door of doors)
  test(`${door}: a line that says nothing any more is given up`, limit, async () => {
    const relay = await Relay.to(new URL(shared.url).port);
    const stream = freshPath(`frozen-${door}`);
    const told = listen(open(relay.url + stream, { doors: [door], silence_ms: 1500 }), { offset: '-1' });
    await until(() => told.states.at(-1) === 'live', 'live');
    relay.isFrozen = true;
    const before = told.states.length;
    await post(shared.url + stream, 'application/json', '["meanwhile"]');
    await until(() => told.states.slice(before).includes('waiting'), 'the end of patience');
    relay.isFrozen = false;
    relay.cut();
    await told.count(1);
    assert.deepEqual(told.values, ['meanwhile']);
    told.sub.close();
    relay.close();
  });

test('who is silent is asked for a sign of life, and stays if there is one', limit, async () => {
  const stream = open(shared.url + freshPath(), { silence_ms: 3000 }, ({ WebSocket, seen }) => ({
    WebSocket: class extends WebSocket {
      send(data) {
        seen.pings = (seen.pings ?? 0) + data.includes('"ping"');
        super.send(data);
      }
    },
  }));
  const told = listen(stream);
  await told.state('live');
  await until(async () => (await stream.seen()).pings >= 3, 'pings');
  assert.deepEqual(told.states.filter((state) => state === 'waiting'), []);
});

// ---- doors that are shut -------------------------------------------------------------------------------

// Of one that never opens, and of an answer that never comes.
const shut = ({ seen }) => ({
  WebSocket: class {
    constructor() {
      seen.tries = (seen.tries ?? 0) + 1;
      setTimeout(() => this.onclose?.({ code: 1006, reason: '' }));
    }
    close() {}
  },
});
const shutAndSilent = ({ fetch }) => ({
  WebSocket: class {
    constructor() {
      setTimeout(() => this.onclose?.({ code: 1006, reason: '' }));
    }
    close() {}
  },
  fetch: (url, init) => (init.headers?.Accept
    ? new Promise((_, reject) => init.signal.addEventListener('abort', () => reject(init.signal.reason))) : fetch(url, init)),
});

test('without WebSocket it is SSE, and without that long-poll; publishing goes by POST', limit, async () => {
  for (const [options, setup, door] of [
    [{}, shut, 'sse'],
    [{ WebSocket: undefined }, undefined, 'sse'],
    [{ silence_ms: 300 }, shutAndSilent, 'long-poll'],
  ]) {
    const stream = open(shared.url + freshPath(), options, setup);
    const told = listen(stream, { offset: '-1' });
    await until(() => told.states.includes('live'), `live by ${door}`);
    assert.equal(told.infos[told.states.indexOf('live')].door, door);
    await Promise.all(range(1, 5).map((n) => stream.publish(n)));
    await told.count(5);
    assert.deepEqual(told.values, range(1, 5));
    if (setup === shut) assert.equal((await stream.seen()).tries, 1, 'not again and again');
    stream.close();
  }
});

test('a WebSocket that worked before is tried again, not given up for a moment', limit, async () => {
  const server = await serve();
  const relay = await Relay.to(server.port);
  const told = listen(open(relay.url + freshPath()), { offset: '-1' });
  await told.state('live');
  relay.isRefusing = true;
  relay.cut();
  await until(() => told.states.filter((state) => state === 'waiting').length >= 4, 'some tries');
  relay.isRefusing = false;
  await until(() => told.states.at(-1) === 'live', 'live again');
  assert.deepEqual([...new Set(told.infos.map(({ door }) => door).filter(Boolean))], ['websocket']);
  told.sub.close();
  relay.close();
  await server.stop();
});

// ---- when to come back ---------------------------------------------------------------------------------

test('pauses have full jitter, grow, and are bounded', limit, async () => {
  const relay = await Relay.to(1);
  relay.isRefusing = true;
  const pauses = [];
  const only = where === 'Node' ? doors : ['long-poll']; // Chromium itself holds back WebSockets that fail
  const readers = range(1, 8).map(() => listen(open(`${relay.url}/live/x`, { doors: only, retry_ms: 8, retry_max_ms: 64 })));
  for (const told of readers) {
    await until(() => told.states.filter((state) => state === 'waiting').length >= 8, 'eight pauses');
    pauses.push(told.infos.filter(({ retry_ms }) => retry_ms !== undefined).map(({ retry_ms }) => retry_ms).slice(0, 8));
    assert.equal(told.infos.find(({ error }) => error).error.code, 'offline');
    told.sub.close();
  }
  pauses.forEach((row) => row.forEach((ms, i) => assert.ok(ms >= 0 && ms <= Math.min(64, 8 * 2 ** i), `pause ${i} of ${ms}`)));
  assert.ok(new Set(pauses.flat()).size > 60, 'not two alike');
  assert.ok(Math.max(...pauses.flat()) > 16, 'they grow');
  relay.close();
});

test('a server that goes away says when to come back', limit, async () => {
  const server = await serve();
  const told = listen(open(server.url + freshPath(), { retry_ms: 100_000, retry_max_ms: 100_000 }));
  await told.state('live');
  const stopped = server.stop();
  const { retry_ms, error } = await told.state('waiting');
  assert.ok(retry_ms >= 0 && retry_ms < 5000, `${retry_ms} ms`);
  assert.equal(error.code, 'offline');
  told.sub.close();
  await stopped;
});

test('503 and 429 are waited out, as long as Retry-After says', limit, async () => {
  let busy = 2;
  const server = await fake((incoming, response) => {
    if (busy-- > 0) return response.writeHead(busy ? 503 : 429, { 'Retry-After': '1' }).end();
    response.writeHead(200, { 'Stream-Next-Offset': 'a_1' }).end();
  });
  const began = Date.now();
  assert.deepEqual(await open(server.url).publish('x'), { offset: 'a_1' });
  assert.ok(Date.now() - began >= 2000, 'twice a second');
  assert.deepEqual(server.requests, Array(3).fill('POST /s/fake'));
});

test('above the rate of a stream: later, all of them, in order', limit, async () => {
  const writer = open(`${shared.url}${freshPath().replace('/live/', '/slow/')}`);
  await Promise.all(range(1, 60).map((n) => writer.publish(n)));
  assert.deepEqual([...(await writer.last(100))], range(1, 60));
});

// Whether the page is looked at. In Node there is none: one is made up, for as long as `fn` runs.
const look = (stream, state) => stream.run((_, value) => {
  Object.defineProperty(document, 'visibilityState', { value, configurable: true });
  document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
}, state);

async function withPage(fn) {
  if (where !== 'Node') return fn();
  const window = new EventTarget(); // what is said of a document reaches its window
  const names = ['addEventListener', 'removeEventListener', 'dispatchEvent'];
  for (const name of names) globalThis[name] = window[name].bind(window);
  globalThis.document = { dispatchEvent: globalThis.dispatchEvent };
  try {
    await fn();
  } finally {
    for (const name of [...names, 'document']) delete globalThis[name];
  }
}

test('who comes online, or is looked at, does not wait any longer; who is hidden waits longer', limit, () => withPage(async () => {
  const relay = await Relay.to(new URL(shared.url).port);
  relay.isRefusing = true;
  const stream = open(relay.url + freshPath(), { retry_ms: 1, retry_max_ms: 10_000_000 });
  await look(stream, 'hidden');
  const told = listen(stream);
  const { retry_ms } = await told.state('waiting');
  assert.ok(retry_ms > 1000, `${retry_ms} ms, hidden`);
  relay.isRefusing = false;
  await look(stream, 'hidden');
  await pause(50);
  assert.equal(told.states.at(-1), 'waiting', 'still hidden');
  await look(stream, 'visible');
  await told.state('live');
  relay.isRefusing = true;
  await look(stream, 'hidden');
  const before = told.states.length;
  relay.cut();
  await until(() => told.states.slice(before).includes('waiting'), 'waiting again');
  relay.isRefusing = false;
  await stream.run(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'visible', configurable: true });
    globalThis.dispatchEvent(new Event('online'));
  });
  await until(() => told.states.at(-1) === 'live', 'live again');
  told.sub.close();
  relay.close();
}));

// ---- refusals ------------------------------------------------------------------------------------------

const problem = (error) => [error.code, error.status, error.permanent];

test('what is refused is refused once, by name, and never tried again', limit, async () => {
  const names = { 400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 410: 'deleted', 413: 'too_large', 415: 'wrong_type', 418: 'refused' };
  let status;
  const server = await fake((_, response) =>
    response.writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' }).end('{"title":"No","detail":"You may not."}'));
  for (const [number, name] of Object.entries(names))
    for (const door of doors) {
      status = Number(number);
      server.requests.length = server.upgrades = 0;
      const stream = open(server.url, { doors: [door] });
      const told = listen(stream, { offset: '-1' });
      const state = name === 'deleted' ? 'deleted' : 'refused';
      const { error } = await told.state(state);
      assert.deepEqual([problem(error), error.title, error.detail], [[name, status, true], 'No', 'You may not.'], `${status} ${door}`);
      const faults = [];
      stream.presence(() => {}, { onerror: (fault) => faults.push(fault.code) });
      await until(() => faults.length > 0, 'presence to be refused');
      assert.ok(['gone', name].includes(faults[0]), faults[0]);
      const fault = await rejection(stream.publish(1));
      assert.deepEqual(problem(fault), [status === 410 ? 'gone' : name, status, true]);
      const { length } = server.requests;
      await pause(60);
      assert.equal(server.requests.length, length, 'no more requests');
      assert.ok(length > 0 && length <= 6 && server.upgrades <= 2, `${server.requests} and ${server.upgrades} upgrades`);
      stream.close();
    }
});

test('refusals of a real server', limit, async () => {
  const as = (subject) => ({ headers: { 'X-Subject': subject } });
  const cases = [
    ['/s/nobody-made-it', {}, 'not_found', 'not_found'],
    ['/u/bob/inbox', {}, 'unauthorized', null],
    ['/u/bob/inbox', as('eve'), 'forbidden', null],
    ['/known/x', {}, 'unauthorized', 'unauthorized'],
    ['/read/x', {}, null, 'forbidden'],
    ['/nowhere/x', {}, 'not_found', null],
  ];
  for (const [where, options, reading, writing] of cases)
    for (const door of doors) {
      const stream = open(shared.url + where, { ...options, doors: [door] });
      const told = listen(stream);
      if (reading) assert.deepEqual((await told.state('refused')).error.code, reading, `${where} by ${door}`);
      else await told.state('live');
      if (writing) assert.equal((await rejection(stream.publish('x'))).code, writing, where);
      if (writing && !reading) await Promise.all([1, 2].map((n) => rejection(stream.publish(n))));
      stream.close();
    }
});

test('one message that is refused does not keep the others', limit, async () => {
  const stream = open(`${shared.url}/small/${process.pid}`, { type: 'application/json' });
  const told = listen(stream);
  await told.state('live');
  const outcomes = await Promise.allSettled([1, 2, 'x'.repeat(100), 3, new Uint8Array(3), 4, 'y'.repeat(100), 5].map((value) => stream.publish(value)));
  assert.deepEqual(outcomes.map(({ reason }) => reason?.code), [undefined, undefined, 'too_large', undefined, 'conflict', undefined, 'too_large', undefined]);
  await told.count(5);
  assert.deepEqual(told.values, range(1, 5));
  assert.deepEqual([...(await stream.last(100))], range(1, 5));
});

test('a queue that is full refuses, and empties', limit, async () => {
  const relay = await Relay.to(new URL(shared.url).port);
  relay.isRefusing = true;
  const stream = open(relay.url + freshPath(), { queue_max: 3 });
  const acks = range(1, 3).map((n) => stream.publish(n));
  assert.equal((await rejection(stream.publish(4))).code, 'busy');
  relay.isRefusing = false;
  await Promise.all(acks);
  const last = stream.publish(5);
  await last;
  assert.deepEqual([...(await stream.last(9))], [1, 2, 3, 5]);
  relay.isRefusing = true;
  relay.cut();
  const lost = rejection(stream.publish(6));
  stream.close();
  assert.equal((await lost).code, 'stopped');
  relay.close();
});

for (const door of doors) {
  test(`${door}: messages that are not retained any more are told as a gap, and it goes on behind`, limit, async () => {
    const url = `${shared.url}/short/${door}-${process.pid}`;
    const first = await post(url, 'application/json', '[0]');
    await post(url, 'application/json', JSON.stringify(range(1, 30)));
    const told = listen(open(url, { doors: [door] }), { offset: first });
    await told.count(10);
    assert.deepEqual(told.values, range(21, 30));
    assert.equal(told.gaps.length, 1);
    assert.equal(told.gaps[0].requested, first);
    assert.ok(told.gaps[0].earliest > first);
    assert.ok(door === 'long-poll' ? told.gaps[0].lost === null : told.gaps[0].lost === 20, String(told.gaps[0].lost));
    await post(url, 'application/json', '[31]');
    await told.count(11);
    told.sub.close();
  });

  test(`${door}: a stream that is deleted is told as deleted`, limit, async () => {
    const url = `${shared.url}/s/deleted-${door}`;
    await create(url);
    const told = listen(open(url, { doors: [door] }));
    await told.state('live');
    await pause(20);
    assert.equal((await request(url, { method: 'DELETE' })).status, 204);
    assert.equal((await told.state('deleted')).error.code, 'deleted');
    await pause(50);
    assert.equal(told.states.at(-1), 'deleted');
  });
}

test('who listens without onstate is not left in silence', limit, () => uncaught(async (faults) => {
  await open(`${shared.url}/s/none`).run((stream) => void stream.subscribe(() => {}));
  await until(() => faults().length === 1, 'the error');
  assert.ok(faults()[0] instanceof DuplexError && faults()[0].code === 'not_found');
}));

test('a token goes with every request, and is asked for anew', limit, async () => {
  const told = [];
  const server = await fake((incoming, response) => {
    told.push(incoming.headers.authorization);
    response.writeHead(401).end();
  });
  const stream = open(server.url, {}, ({ WebSocket, seen }) => {
    let n = 0;
    seen.tokens = [];
    return {
      token: async () => `t${++n}`,
      WebSocket: class extends WebSocket {
        constructor(url, ...more) {
          seen.tokens.push(new URL(url).searchParams.get('token'));
          super(url, ...more);
        }
      },
    };
  });
  await rejection(stream.last());
  const reader = listen(stream);
  await reader.state('refused');
  assert.deepEqual([told, (await stream.seen()).tokens], [['Bearer t1', 'Bearer t3'], ['t2']]);
});

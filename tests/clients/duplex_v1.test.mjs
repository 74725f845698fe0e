// duplex.v1 with npm's ws: cursors, acknowledgements, gaps, control, with and without compression.
// Is:     scenes that read as stories; a client as an application would write it.
// Is not: every frame and status (src/serve/test_door_websocket_*.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { freshPath, history, Inbox, post, request, serve, within } from './helper.mjs';
import { limit, sharedServer } from './scenes.mjs';

const shared = sharedServer();

// A client of duplex.v1: messages and control in one inbox, in the order they came; a cursor to resume at.
class Duplex {
  cursor = 'now';
  inbox = new Inbox();
  acks = new Inbox();

  static async open(url, { offset, query = '', ...options } = {}) {
    const client = new Duplex();
    const query_all = new URLSearchParams(query);
    if (offset !== undefined) query_all.set('offset', offset);
    const socket = new WebSocket(`${url}?${query_all}`, ['duplex.v1'], options);
    client.socket = socket;
    socket.on('message', (data, isBinary) => client.#take(data, isBinary));
    socket.on('close', (code, reason) => client.#end({ code, reason: reason.toString() }));
    await within(new Promise((resolve, reject) => {
      socket.once('open', resolve).once('error', reject);
    }), 'the handshake');
    assert.equal(socket.protocol, 'duplex.v1');
    return client;
  }

  #take(data, isBinary) {
    const line = data.indexOf('\n');
    if (line === 0) {
      const control = JSON.parse(data.toString());
      if (control.caught_up) this.cursor = control.caught_up;
      (control.ack === undefined ? this.inbox : this.acks).push(control);
    } else {
      this.cursor = data.subarray(0, line).toString();
      const payload = data.subarray(line + 1);
      this.inbox.push(isBinary ? payload : payload.toString());
    }
  }

  #end(why) {
    this.inbox.end(why);
    this.acks.end(why);
  }

  publish(id, payload) {
    this.socket.send(Buffer.isBuffer(payload) ? Buffer.concat([Buffer.from(`${id}\n`), payload]) : `${id}\n${payload}`);
  }

  control(object) {
    this.socket.send(`\n${JSON.stringify(object)}`);
  }

  async caughtUp() {
    const { caught_up } = await this.inbox.take();
    assert.match(caught_up, /^[0-9a-f]{16}_[0-9a-f]{16}$/);
    return caught_up;
  }

  async closed() {
    await assert.rejects(this.inbox.take());
    return this.inbox.ended;
  }

  close() {
    this.socket.terminate();
  }
}

test('a chat: who publishes is told where it stands, and everybody gets it', limit, async () => {
  const path = freshPath('chat');
  const [ann, bob] = await Promise.all([Duplex.open(shared.ws + path, { query: 'echo=0' }), Duplex.open(shared.ws + path)]);
  await ann.caughtUp();
  await bob.caughtUp();
  ann.publish('a-1', 'hello, κόσμε 🙂');
  const { ack, offset } = await ann.acks.take();
  assert.equal(ack, 'a-1');
  assert.equal(await bob.inbox.take(), 'hello, κόσμε 🙂');
  assert.equal(bob.cursor, offset);
  bob.publish('b-1', 'hi,\nAnn');
  assert.equal(await ann.inbox.take(), 'hi,\nAnn');
  assert.equal(await bob.inbox.take(), 'hi,\nAnn', 'bob did not ask for echo=0');
  assert.equal((await bob.acks.take()).offset, ann.cursor);
  ann.close();
  bob.close();
});

test('a cursor resumes at every door: nothing is lost, nothing comes twice', limit, async () => {
  const path = freshPath('resume');
  const writer = await Duplex.open(shared.ws + path, { query: 'read=0' });
  let reader = await Duplex.open(shared.ws + path);
  await reader.caughtUp();
  for (let i = 0; i < 100; i++) writer.publish(i, `message ${i}`);
  for (let i = 0; i < 50; i++) assert.equal(await reader.inbox.take(), `message ${i}`);
  const acks = await writer.acks.takeAll(100);
  assert.deepEqual(acks.map(({ ack }) => ack), acks.map((_, i) => String(i)));
  reader.close();
  reader = await Duplex.open(shared.ws + path, { offset: acks[49].offset });
  for (let i = 50; i < 100; i++) assert.equal(await reader.inbox.take(), `message ${i}`);
  assert.equal(await reader.caughtUp(), acks[99].offset);
  const rest = await history(shared.url + path, acks[97].offset);
  assert.equal(rest.body, 'message 98message 99');
  assert.equal(rest.next, reader.cursor);
  reader.close();
  writer.close();
});

test('prices with history: the past, {"caught_up"}, and what happens next', limit, async () => {
  const path = freshPath('prices');
  await post(shared.url + path, 'application/json', '[{"btc":1},{"btc":2}]');
  const reader = await Duplex.open(shared.ws + path, { offset: '-1' });
  assert.deepEqual((await reader.inbox.takeAll(2)).map(JSON.parse), [{ btc: 1 }, { btc: 2 }]);
  await reader.caughtUp();
  await post(shared.url + path, 'application/json', '{"btc":3}');
  assert.equal(await reader.inbox.take(), '{"btc":3}');
  reader.publish('bad', '{"btc":');
  assert.deepEqual(Object.entries(await reader.inbox.take()).slice(0, 2), [['error', 'bad'], ['status', 400]]);
  reader.publish('good', '{"btc":4}');
  assert.equal((await reader.acks.take()).ack, 'good');
  reader.close();
});

test('bytes travel as bytes', limit, async () => {
  const path = freshPath('bytes');
  const reader = await Duplex.open(shared.ws + path);
  await reader.caughtUp();
  const bytes = Buffer.from([0, 10, 255, 10, 13, 0]);
  reader.publish('1', bytes);
  assert.deepEqual(await reader.inbox.take(), bytes);
  reader.close();
});

test('with compression: the same frames, and fewer bytes', limit, async () => {
  const path = freshPath('deflate');
  const plain = await Duplex.open(shared.ws + path, { perMessageDeflate: false });
  const small = await Duplex.open(shared.ws + path, { perMessageDeflate: { threshold: 0 } });
  assert.match(small.socket.extensions, /^permessage-deflate\b/);
  await plain.caughtUp();
  await small.caughtUp();
  const before = small.socket._socket.bytesRead;
  const text = 'abcdefgh'.repeat(5000);
  small.publish('1', text);
  small.publish('2', 'short');
  for (const reader of [plain, small])
    assert.deepEqual(await reader.inbox.takeAll(2), [text, 'short']);
  assert.equal(plain.cursor, small.cursor);
  await small.acks.takeAll(2);
  const wire = small.socket._socket.bytesRead - before;
  assert.ok(wire < 4000, `${wire} bytes for 40000`);
  plain.close();
  small.close();
});

test('a ping is answered behind what was sent before it', limit, async () => {
  const path = freshPath('ping');
  const client = await Duplex.open(shared.ws + path);
  await client.caughtUp();
  for (let i = 0; i < 30; i++) {
    client.publish(`p${i}`, `${i}`);
    client.control({ ping: { i } });
    assert.equal(await client.inbox.take(), `${i}`);
    assert.deepEqual(await client.inbox.take(), { pong: { i } });
  }
  assert.equal((await client.acks.takeAll(30)).at(-1).ack, 'p29');
  client.close();
});

test('a cursor from too long ago: the gap is told, and the rest comes', limit, async () => {
  const path = freshPath('gap');
  const first = await post(shared.url + path, 'application/json', '0');
  const numbers = (from) => JSON.stringify(Array.from({ length: 500 }, (_, i) => from + i));
  for (let i = 0; i < 3; i++) await post(shared.url + path, 'application/json', numbers(1 + i * 500));
  const reader = await Duplex.open(shared.ws + path, { offset: first });
  const { gap } = await reader.inbox.take(); // /live/ keeps 1000 messages
  assert.equal(gap.requested, first);
  assert.equal(gap.lost, 500);
  assert.ok(gap.earliest > first);
  assert.deepEqual((await reader.inbox.takeAll(1000)).map(Number), Array.from({ length: 1000 }, (_, i) => 501 + i));
  await reader.caughtUp();
  reader.close();
  const elsewhere = await Duplex.open(shared.ws + path, { offset: '0000000000000001_0000000000000001' });
  assert.equal((await elsewhere.inbox.take()).gap.lost, null);
  elsewhere.close();
  const raw = new WebSocket(`${shared.ws}${path}?offset=${first}`);
  const status = await within(new Promise((resolve) => {
    raw.on('unexpected-response', (_, response) => resolve(response.statusCode));
    raw.on('error', () => {});
  }), 'an answer');
  assert.equal(status, 410);
});

test('the last message of a stream that is closed, and then the end', limit, async () => {
  const path = freshPath('closed');
  const reader = await Duplex.open(shared.ws + path);
  await reader.caughtUp();
  const headers = { 'Content-Type': 'text/plain', 'Stream-Closed': 'true' };
  const answer = await request(shared.url + path, { method: 'POST', headers, body: 'goodbye' });
  assert.ok(answer.status < 300, answer.body.toString());
  assert.equal(await reader.inbox.take(), 'goodbye');
  assert.deepEqual(await reader.inbox.take(), { closed: true });
  assert.equal((await reader.closed()).code, 1000);
  const late = await Duplex.open(shared.ws + path, { query: 'read=0' });
  late.publish('1', 'too late');
  const { error, status } = await late.inbox.take();
  assert.deepEqual([error, status], ['1', 409]);
  late.close();
});

test('who is here: a friend comes, says something new about herself, and loses her connection', limit, async () => {
  const path = freshPath('here');
  const bob = await Duplex.open(shared.ws + path, { query: 'member=bob&presence={"mood":"fine"}' });
  await bob.caughtUp();
  assert.deepEqual(await bob.inbox.take(), { join: [{ id: 'bob', data: { mood: 'fine' } }], leave: [], count: 1 });
  const ann = await Duplex.open(shared.ws + path, { query: 'member=ann' });
  await ann.caughtUp();
  ann.control({ presence: { mood: 'curious' } });
  const joined = { join: [{ id: 'ann', data: { mood: 'curious' } }], leave: [], count: 2 };
  assert.deepEqual(await bob.inbox.take(), joined);
  assert.deepEqual(await ann.inbox.take(), joined);
  ann.control({ presence: { mood: 'happy' } });
  const { join: [{ id, data }] } = await bob.inbox.take();
  assert.deepEqual([id, data], ['ann', { mood: 'happy' }]);
  const { members, count } = JSON.parse((await request(`${shared.url}${path}?presence`)).body);
  assert.deepEqual([count, members.map((member) => member.id).sort()], [2, ['ann', 'bob']]);
  const left = Date.now();
  ann.socket.terminate();
  assert.deepEqual(await bob.inbox.take(), { join: [], leave: ['ann'], count: 1 });
  assert.ok(Date.now() - left < 1000, 'within a second');
  bob.close();
});

test('who is here: fifty come at once, and everybody hears of all of them in a few frames', limit, async () => {
  const path = freshPath('crowd');
  const watcher = await Duplex.open(shared.ws + path, { query: 'member=watcher&presence' });
  await watcher.caughtUp();
  const crowd = await Promise.all(Array.from({ length: 50 }, (_, i) =>
    Duplex.open(shared.ws + path, { query: `member=${i}&presence&write=0` })));
  const came = new Set();
  let frames = 0;
  for (let count = 0; count < 51; frames++) {
    const digest = await watcher.inbox.take();
    for (const { id } of digest.join) came.add(id);
    ({ count } = digest);
  }
  assert.equal(came.size, 51);
  assert.ok(frames < 25, `${frames} frames`);
  for (const client of [watcher, ...crowd]) client.close();
});

test('a server that goes away says when to come back', limit, async () => {
  const server = await serve();
  const reader = await Duplex.open(server.ws + freshPath('drain'));
  await reader.caughtUp();
  const stopped = server.stop();
  const { reconnect } = await reader.inbox.take();
  assert.ok(reconnect.after_ms >= 0 && reconnect.after_ms < 5000);
  assert.equal((await reader.closed()).code, 1001);
  await stopped;
});

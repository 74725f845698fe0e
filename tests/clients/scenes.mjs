// The scenes that every WebSocket client plays with the server, and every HTTP client.
// A WebSocket client is { connect(url) } giving { inbox, send(string|Buffer), close() }, the inbox
// holding strings (text) and Buffers (binary) and ending with { code } when the server closes.
// An HTTP client is { post(url, type, body) } giving { status, next } and { get(url) } giving
// { status, body, type, next, upToDate }.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { ca, freshPath, history, historyBecomes, Inbox, post, serve } from './helper.mjs';

export const limit = { timeout: 60_000 };

// One server for all tests of a file; `server.url` is there when the tests run.
export function sharedServer(start = serve) {
  const shared = {};
  before(async () => {
    shared.server = await start();
    shared.server.kept = true; // until the hook below stops it
    Object.assign(shared, { url: shared.server.url, ws: shared.server.ws, host: shared.server.host });
  });
  after(() => shared.server?.stop());
  return shared;
}

// npm's ws as the known good other side.
export function wsClient(options) {
  return {
    async connect(url) {
      const socket = new WebSocket(url, { ca, ...options });
      const inbox = new Inbox();
      socket.on('message', (data, isBinary) => inbox.push(isBinary ? data : data.toString()));
      socket.on('close', (code, reason) => inbox.end({ code, reason: reason.toString() }));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return {
        inbox, socket, extensions: socket.extensions,
        send: (data) => socket.send(data),
        close: () => socket.terminate(),
      };
    },
  };
}

export function playWebSocket(name, client, shared) {
  test(`${name}: what is posted arrives on the open WebSocket`, limit, async () => {
    const path = freshPath();
    const reader = await client.connect(shared.ws + path);
    await post(shared.url + path, 'text/plain', 'hello');
    await post(shared.url + path, 'text/plain', 'zweite Nachricht: κόσμε, 🙂');
    assert.deepEqual(await reader.inbox.takeAll(2), ['hello', 'zweite Nachricht: κόσμε, 🙂']);
    await reader.close();
  });

  test(`${name}: what is sent on the WebSocket is read by HTTP`, limit, async () => {
    const path = freshPath();
    const writer = await client.connect(shared.ws + path);
    await writer.send('one,');
    await writer.send('two');
    await historyBecomes(shared.url + path, 'one,two');
    assert.match((await history(shared.url + path)).type, /^text\/plain\b/);
    assert.deepEqual(await writer.inbox.takeAll(2), ['one,', 'two'], 'own messages come back by default');
    await writer.close();
  });

  test(`${name}: a stream that a WebSocket began takes posts of plain text`, limit, async () => {
    const path = freshPath();
    const writer = await client.connect(shared.ws + path);
    await writer.send('begun by WebSocket');
    await writer.inbox.take();
    await post(shared.url + path, 'text/plain', 'and posted to');
    assert.equal(await writer.inbox.take(), 'and posted to');
    await writer.close();
  });

  test(`${name}: two WebSockets on one URL hear each other`, limit, async () => {
    const path = freshPath();
    const a = await client.connect(`${shared.ws}${path}?echo=0`);
    const b = await wsClient().connect(`${shared.ws}${path}?echo=0`);
    await a.send('from a');
    assert.equal(await b.inbox.take(), 'from a');
    b.send('from b');
    assert.equal(await a.inbox.take(), 'from b', 'and nothing of its own before it');
    await a.close();
    b.close();
  });

  test(`${name}: offset=-1 replays all, then goes on live`, limit, async () => {
    const path = freshPath();
    for (const body of ['1', '2', '3']) await post(shared.url + path, 'text/plain', body);
    const reader = await client.connect(`${shared.ws}${path}?offset=-1`);
    await post(shared.url + path, 'text/plain', '4');
    assert.deepEqual(await reader.inbox.takeAll(4), ['1', '2', '3', '4']);
    await reader.close();
  });

  test(`${name}: an offset given by POST resumes after that message`, limit, async () => {
    const path = freshPath();
    await post(shared.url + path, 'text/plain', 'before');
    const offset = await post(shared.url + path, 'text/plain', 'last seen');
    await post(shared.url + path, 'text/plain', 'missed');
    const reader = await client.connect(`${shared.ws}${path}?offset=${encodeURIComponent(offset)}`);
    assert.equal(await reader.inbox.take(), 'missed');
    await post(shared.url + path, 'text/plain', 'live');
    assert.equal(await reader.inbox.take(), 'live');
    await reader.close();
  });

  test(`${name}: a JSON array is one text message for each element`, limit, async () => {
    const path = freshPath();
    const reader = await client.connect(shared.ws + path);
    await post(shared.url + path, 'application/json', '[{"price":1.50},"x",[2,3]]');
    assert.deepEqual(await reader.inbox.takeAll(3), ['{"price":1.50}', '"x"', '[2,3]']);
    const read = await history(shared.url + path);
    assert.deepEqual(JSON.parse(read.body), [{ price: 1.5 }, 'x', [2, 3]]);
    assert.match(read.type, /^application\/json\b/);
    await reader.close();
  });

  test(`${name}: 60 kB arrive whole`, limit, async () => {
    const path = freshPath();
    const text = Array.from({ length: 10_000 }, (_, i) => String.fromCharCode(97 + (i * i) % 26)).join('').repeat(6);
    const reader = await client.connect(shared.ws + path);
    await reader.send(text);
    assert.equal(await reader.inbox.take(), text);
    await historyBecomes(shared.url + path, text);
    await reader.close();
  });

  if (client.textOnly) return;
  test(`${name}: a binary stream sends binary messages, byte for byte`, limit, async () => {
    const path = freshPath();
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i & 255));
    const reader = await client.connect(shared.ws + path);
    await post(shared.url + path, 'application/octet-stream', bytes);
    const got = await reader.inbox.take();
    assert.ok(Buffer.isBuffer(got), 'a binary message');
    assert.deepEqual(got, bytes);
    await reader.send(Buffer.from([0xff, 0x00]));
    assert.deepEqual(await reader.inbox.take(), Buffer.from([0xff, 0x00]));
    await reader.close();
  });
}

export function playHttp(name, client, shared) {
  test(`${name}: posts, and a WebSocket receives`, limit, async () => {
    const path = freshPath();
    const reader = await wsClient().connect(shared.ws + path);
    const answer = await client.post(shared.url + path, 'text/plain', 'hello from HTTP');
    assert.equal(answer.status, 204);
    assert.ok(answer.next);
    assert.equal(await reader.inbox.take(), 'hello from HTTP');
    reader.close();
  });

  test(`${name}: reads what a WebSocket sent, whole and from an offset`, limit, async () => {
    const path = freshPath();
    const writer = await wsClient().connect(shared.ws + path);
    writer.send('a');
    await writer.inbox.take();
    const first = await client.get(`${shared.url}${path}?offset=-1`);
    assert.equal(first.status, 200);
    assert.equal(first.body, 'a');
    assert.equal(first.upToDate, 'true');
    writer.send('b');
    await writer.inbox.take();
    const second = await client.get(`${shared.url}${path}?offset=${encodeURIComponent(first.next)}`);
    assert.equal(second.body, 'b');
    writer.close();
  });

  test(`${name}: JSON goes in as an array, out as an array`, limit, async () => {
    const path = freshPath();
    await client.post(shared.url + path, 'application/json', '[1,2]');
    await client.post(shared.url + path, 'application/json', '{"n":3}');
    const read = await client.get(`${shared.url}${path}?offset=-1`);
    assert.match(read.type, /^application\/json\b/);
    assert.deepEqual(JSON.parse(read.body), [1, 2, { n: 3 }]);
  });
}

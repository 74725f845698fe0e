// npm's ws, with and without compression; undici's WebSocket and fetch.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetch, WebSocket as UndiciWebSocket } from 'undici';
import WebSocket from 'ws';
import { freshPath, Inbox, post, request, within } from './helper.mjs';
import { limit, playHttp, playWebSocket, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();
const deflate = { perMessageDeflate: { threshold: 0 } };

playWebSocket('ws without deflate', wsClient({ perMessageDeflate: false }), shared);
playWebSocket('ws with deflate', wsClient(deflate), shared);

test('ws: compression is used when asked for, and only then', limit, async () => {
  const plain = await wsClient({ perMessageDeflate: false }).connect(shared.ws + freshPath());
  const compressed = await wsClient(deflate).connect(shared.ws + freshPath());
  assert.equal(plain.extensions, '');
  assert.match(compressed.extensions, /^permessage-deflate\b/);
  plain.close();
  compressed.close();
});

test('ws: a compressible message crosses the wire compressed', limit, async () => {
  const path = freshPath();
  const reader = await wsClient(deflate).connect(shared.ws + path);
  const before = reader.socket._socket.bytesRead;
  await post(shared.url + path, 'text/plain', 'abcdefgh'.repeat(5000));
  assert.equal((await reader.inbox.take()).length, 40_000);
  const wire = reader.socket._socket.bytesRead - before;
  assert.ok(wire < 4000, `${wire} bytes for 40000`);
  reader.close();
});

test('ws: a ping is answered with what it carried', limit, async () => {
  const { socket, close } = await wsClient().connect(shared.ws + freshPath());
  const pong = new Promise((resolve) => socket.once('pong', resolve));
  socket.ping('are you there?');
  assert.equal((await within(pong, 'a pong')).toString(), 'are you there?');
  close();
});

test('ws: the close handshake ends with the code that was sent', limit, async () => {
  const { socket, inbox } = await wsClient().connect(shared.ws + freshPath());
  socket.close(1000, 'done');
  await assert.rejects(inbox.take());
  assert.equal(inbox.ended.code, 1000);
});

test('ws: a page of another origin is refused with 403 before the handshake', limit, async () => {
  const socket = new WebSocket(shared.ws + freshPath(), { origin: 'http://evil.example' });
  const status = await within(new Promise((resolve, reject) => {
    socket.once('unexpected-response', (_, response) => resolve(response.statusCode));
    socket.once('open', () => reject(new Error('the handshake was accepted')));
    socket.on('error', reject);
  }), 'an answer');
  assert.equal(status, 403);
});

test('ws: of 50 readers each receives each of 100 messages, in order', limit, async () => {
  const path = freshPath();
  const readers = await Promise.all(Array.from({ length: 50 }, (_, i) =>
    wsClient({ perMessageDeflate: i % 2 === 0 }).connect(`${shared.ws}${path}`)));
  const writer = await wsClient().connect(`${shared.ws}${path}?echo=0`);
  const sent = Array.from({ length: 100 }, (_, i) => `message ${i}`);
  for (const text of sent) writer.send(text);
  for (const reader of readers) assert.deepEqual(await reader.inbox.takeAll(100), sent);
  assert.equal(writer.inbox.waiting, 0, 'echo=0 leaves out own messages');
  for (const client of [writer, ...readers]) client.close();
});

test('the server answers /healthz', limit, async () => {
  assert.equal((await request(`${shared.url}/healthz`)).status, 200);
});

playWebSocket('undici', {
  async connect(url) {
    const socket = new UndiciWebSocket(url);
    const inbox = new Inbox();
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => inbox.push(typeof data === 'string' ? data : Buffer.from(data));
    socket.onclose = ({ code }) => inbox.end({ code });
    await within(new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject })), 'open');
    return {
      inbox,
      send: (data) => socket.send(data),
      async close() {
        socket.close(1000);
        await assert.rejects(inbox.take());
        assert.equal(inbox.ended.code, 1000);
      },
    };
  },
}, shared);

playHttp('undici fetch', {
  async post(url, type, body) {
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body });
    await answer.arrayBuffer();
    return { status: answer.status, next: answer.headers.get('Stream-Next-Offset') };
  },
  async get(url) {
    const answer = await fetch(url);
    const { status, headers } = answer;
    return {
      status, body: await answer.text(), type: headers.get('Content-Type'),
      next: headers.get('Stream-Next-Offset'), upToDate: headers.get('Stream-Up-To-Date'),
    };
  },
}, shared);

// Below the clients: raw sockets, old HTTP, IPv6, both loops, one and two workers.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { duplex, freshPath, post, Program, request, serve, Server, within } from './helper.mjs';
import { limit, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();

// Sends `text`, reads until the server closes; `half` closes our side after sending.
async function exchange(text, { half = false, byByte = false } = {}) {
  const socket = net.connect({ port: shared.server.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const chunks = [];
  socket.on('data', (data) => chunks.push(data));
  await once(socket, 'connect');
  if (byByte) {
    for (const byte of Buffer.from(text)) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
      await new Promise(setImmediate);
    }
  } else socket.write(text);
  if (half) socket.end();
  await within(once(socket, 'end'), `the server to close after ${JSON.stringify(text.slice(0, 40))}`);
  socket.destroy();
  return Buffer.concat(chunks).toString();
}

const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((found) => Number(found[1]));

test('an HTTP/1.0 client that closes after each request is served', limit, async () => {
  const path = freshPath();
  const posted = await exchange(`POST ${path} HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nold`);
  assert.deepEqual(statuses(posted), [204]);
  const read = await exchange(`GET ${path}?offset=-1 HTTP/1.0\r\n\r\n`);
  assert.deepEqual(statuses(read), [200]);
  assert.ok(read.endsWith('\r\n\r\nold'));
  assert.doesNotMatch(read, /^Transfer-Encoding:/mi, 'chunks are not for HTTP/1.0');
});

test('an HTTP/1.0 client that asks to be kept is kept', limit, async () => {
  const one = 'GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const text = await exchange(one + one + 'GET /healthz HTTP/1.0\r\n\r\n');
  assert.deepEqual(statuses(text), [200, 200, 200]);
  assert.match(text, /^Connection: keep-alive/mi);
});

test('pipelined requests are answered in order', limit, async () => {
  const path = freshPath();
  for (const body of ['a', 'b', 'c']) await post(`${shared.url}${path}/${body}`, 'text/plain', `<${body}>`);
  const get = (body, more = '') => `GET ${path}/${body}?offset=-1 HTTP/1.1\r\nHost: ${shared.host}\r\n${more}\r\n`;
  const text = await exchange(get('c') + get('a') + get('b', 'Connection: close\r\n'));
  assert.deepEqual(text.match(/<.>/g), ['<c>', '<a>', '<b>']);
  assert.deepEqual(statuses(text), [200, 200, 200]);
});

test('a request that comes byte by byte is served', limit, async () => {
  const path = freshPath();
  const text = await exchange(`POST ${path} HTTP/1.1\r\nHost: ${shared.host}\r\nConnection: close\r\n`
    + 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbytes\r\n0\r\n\r\n', { byByte: true });
  assert.deepEqual(statuses(text), [204]);
  assert.equal((await request(`${shared.url}${path}?offset=-1`)).body.toString(), 'bytes');
});

test('a client that closes its half after the request still gets the answer', limit, async () => {
  const text = await exchange(`GET /healthz HTTP/1.1\r\nHost: ${shared.host}\r\n\r\n`, { half: true });
  assert.deepEqual(statuses(text), [200]);
});

test('garbage is answered 400 and closed, and disturbs nobody', limit, async () => {
  const path = freshPath();
  const other = await wsClient().connect(shared.ws + path);
  assert.deepEqual(statuses(await exchange('\x16\x03\x01\x02 not HTTP at all\r\n\r\n')), [400]);
  await post(shared.url + path, 'text/plain', 'still here');
  assert.equal(await other.inbox.take(), 'still here');
  other.close();
});

test('an unknown path is 404, a wrong method 405 with Allow, both as problem+json', limit, async () => {
  const missing = await request(`${shared.url}/no/such/thing`);
  assert.equal(missing.status, 404);
  assert.match(missing.headers['content-type'], /^application\/problem\+json/);
  const wrong = await request(`${shared.url}/healthz`, { method: 'DELETE' });
  assert.equal(wrong.status, 405);
  assert.match(wrong.headers.allow, /\bGET\b/);
  assert.equal(JSON.parse(wrong.body).status, 405);
});

test('a post of another type than the stream has is 409, with other parameters it is taken', limit, async () => {
  const url = shared.url + freshPath();
  await post(url, 'text/plain; charset=utf-8', 'text');
  await post(url, 'Text/Plain', ' and more');
  for (const type of ['application/json', 'text/csv', 'text/plain-ish']) {
    const answer = await request(url, { method: 'POST', headers: { 'Content-Type': type }, body: '"no"' });
    assert.equal(answer.status, 409, type);
  }
  assert.equal((await request(`${url}?offset=-1`)).body.toString(), 'text and more');
});

test('IPv6 is listened on and spoken', limit, async (t) => {
  const probe = net.createServer();
  const missing = await new Promise((resolve) => probe.once('error', resolve).listen(0, '::1', () => resolve(null)));
  probe.close();
  if (missing) return t.skip('no IPv6 on this machine');
  const server = await Server.start(duplex, ['serve', '--listen', '[::1]:0']);
  const path = freshPath();
  const reader = await wsClient().connect(server.ws + path);
  await post(server.url + path, 'text/plain', 'over IPv6');
  assert.equal(await reader.inbox.take(), 'over IPv6');
  reader.close();
  await server.stop();
});

// Connections of one stream are spread over workers by the kernel; each must hear every other.
async function playBroadcast(server) {
  const path = freshPath();
  const readers = [];
  for (let i = 0; i < 16; i++) readers.push(await wsClient({ perMessageDeflate: i % 4 === 0 }).connect(server.ws + path));
  for (let i = 0; i < 8; i++) await post(server.url + path, 'text/plain', `posted ${i}`);
  const expected = Array.from({ length: 8 }, (_, i) => `posted ${i}`);
  for (const reader of readers) assert.deepEqual(await reader.inbox.takeAll(8), expected);
  for (const [i, reader] of readers.entries()) reader.send(`sent ${i}`);
  const orders = [];
  for (const reader of readers) orders.push(await reader.inbox.takeAll(16));
  for (const order of orders) assert.deepEqual(order, orders[0], 'one order for all');
  assert.deepEqual([...orders[0]].sort(), readers.map((_, i) => `sent ${i}`).sort());
  for (const reader of readers) reader.close();
}

for (const loop of ['epoll', 'io_uring']) {
  for (const workers of [1, 2]) {
    test(`--loop ${loop} --workers ${workers}: all hear all, in one order`, limit, async (t) => {
      const program = new Program(duplex, ['serve', '--listen', '127.0.0.1:0', '--loop', loop, '--workers', String(workers)]);
      const up = await program.says(/listening on ([^\s"]+)/).catch(() => null);
      if (!up && loop === 'io_uring' && /io_uring/.test(program.err)) return t.skip('no io_uring here');
      assert.ok(up, program.err);
      await playBroadcast({ url: up[1], ws: up[1].replace(/^http/, 'ws') });
      program.kill();
      assert.equal(await program.exit(), 0, program.err);
    });
  }
}

test('a reader that reads nothing slows nobody, and gets it all when it reads', limit, async () => {
  const server = await serve();
  const path = freshPath();
  const slow = await wsClient({ perMessageDeflate: false }).connect(server.ws + path);
  const quick = await wsClient({ perMessageDeflate: false }).connect(server.ws + path);
  slow.socket.pause();
  const payload = 'x'.repeat(50_000);
  for (let i = 0; i < 300; i++) await post(server.url + path, 'text/plain', `${i} ${payload}`); // 15 MB: no socket buffer holds it
  for (let i = 0; i < 300; i++) assert.ok((await quick.inbox.take()).startsWith(`${i} `));
  slow.socket.resume();
  for (let i = 0; i < 300; i++) assert.ok((await slow.inbox.take()).startsWith(`${i} `));
  for (const client of [slow, quick]) client.close();
  await server.stop();
});

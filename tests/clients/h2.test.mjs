// HTTP/2: the doors and the scenes over it, by curl, nghttp, h2load and Node's http2; WebSockets as streams of
// one connection.
// Is not: browsers (h2_browsers.test.mjs).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import zlib from 'node:zlib';
import { believe, freshPath, patience_ms, post, run, serve, serveEcho, within } from './helper.mjs';
import { ask, h2Client, openSession, tunnel, webSocket } from './h2_websocket.mjs';
import { limit, playHttp, playWebSocket, sharedServer } from './scenes.mjs';

const state = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-h2-'));
const file = (name) => path.join(state, 'duplex', name);
process.env.XDG_STATE_HOME = state;
after(() => fs.rmSync(state, { recursive: true }));

const plain = sharedServer(() => serve('--log-level', 'debug'));
const secure = sharedServer(async () => {
  const server = await serve('--tls', 'dev', '--log-level', 'debug');
  believe(file('ca.pem'));
  return server;
});

// ---- the scenes -------------------------------------------------------------------------------------

playWebSocket('WebSocket over h2c', h2Client(), plain);
playWebSocket('WebSocket over h2', h2Client(), secure);

const curl = (...more) => ({
  async post(url, type, body) {
    const { code, out, err } = await run('curl', ['-sS', '-i', ...more, '-H', `Content-Type: ${type}`,
      '--data-binary', '@-', url], body);
    assert.equal(code, 0, err);
    assert.match(out, /^HTTP\/2 /);
    return { status: Number(out.split(' ')[1]), next: out.match(/stream-next-offset: (\S+)/i)[1] };
  },
  async get(url) {
    const { code, out, err } = await run('curl', ['-sS', '-i', ...more, url]);
    assert.equal(code, 0, err);
    const at = out.indexOf('\r\n\r\n');
    const field = (name) => out.slice(0, at).match(new RegExp(`^${name}: (.*)\r$`, 'im'))?.[1];
    return { status: Number(out.split(' ')[1]), body: out.slice(at + 4), type: field('content-type'),
      next: field('stream-next-offset'), upToDate: field('stream-up-to-date') };
  },
});
playHttp('curl --http2-prior-knowledge', curl('--noproxy', '*', '--http2-prior-knowledge'), plain);
playHttp('curl --http2', curl('--noproxy', '*', '--http2', '--cacert', file('ca.pem')), secure);

// ---- the doors ----------------------------------------------------------------------------------------

test('all doors of a stream on one connection: PUT, POST, GET, HEAD, long-poll, SSE, WebSocket, DELETE', limit, async () => {
  const session = await openSession(plain.url);
  const stream = freshPath().replace('/live/', '/s/');
  const type = { 'content-type': 'text/plain' };
  assert.equal((await ask(session, stream, { method: 'PUT', headers: type })).status, 201);

  const waiting = ask(session, `${stream}?offset=now&live=long-poll`);
  const events = session.request({ ':path': `${stream}?offset=-1&live=sse` });
  events.setEncoding('utf8');
  let seen = '';
  const sse = new Promise((resolve) => events.on('data', (data) => (seen += data).includes('first') && resolve()));
  const socket = await webSocket(session, `${stream}?offset=-1`);

  assert.equal((await ask(session, stream, { method: 'POST', headers: type, body: 'first' })).status, 204);
  assert.equal((await waiting).body.toString(), 'first');
  await within(sse, 'the event');
  assert.equal(await socket.inbox.take(), 'first');
  const head = await ask(session, stream, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  const got = await ask(session, `${stream}?offset=-1`);
  assert.equal(got.body.toString(), 'first');
  assert.equal((await ask(session, `${stream}?offset=-1`, { headers: { 'if-none-match': got.headers.etag } })).status, 304);
  assert.equal((await ask(session, stream, { method: 'DELETE' })).status, 204);
  session.close();
});

test('a body of 1 MB each way, many at once', limit, async () => {
  const session = await openSession(secure.url);
  const body = Buffer.alloc(1_000_000, 'duplex ');
  const paths = Array.from({ length: 8 }, () => freshPath());
  const type = { 'content-type': 'application/octet-stream' };
  await Promise.all(paths.map(async (one) => {
    assert.equal((await ask(session, one, { method: 'POST', headers: type, body })).status, 204);
    assert.ok((await ask(session, `${one}?offset=-1`)).body.equals(body));
  }));
  session.close();
});

// ---- WebSockets ----------------------------------------------------------------------------------------

test('60 WebSockets on one connection: one that stops reading does not hold the others', limit, async () => {
  const session = await openSession(plain.url);
  const stream = freshPath();
  const sockets = [];
  for (let i = 0; i < 60; i++) sockets.push(await webSocket(session, `${stream}?echo=0`));
  sockets[0].stream.pause();
  const big = 'x'.repeat(60_000);
  for (let i = 0; i < 10; i++) {
    sockets[1].send(big + i);
    for (const socket of sockets.slice(2)) assert.equal((await socket.inbox.take()).length, 60_001);
  }
  sockets[0].stream.resume();
  for (let i = 0; i < 10; i++) assert.equal(await sockets[0].inbox.take(), big + i);
  session.destroy();
});

test('duplex.v1, a refusal by status, and the close handshake', limit, async () => {
  const session = await openSession(plain.url);
  const stream = freshPath();
  const v1 = await webSocket(session, stream, { 'sec-websocket-protocol': 'duplex.v1' });
  assert.equal(v1.answer['sec-websocket-protocol'], 'duplex.v1');
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept']) assert.ok(!(name in v1.answer), name);
  v1.send('7\nhello');
  const told = [await v1.inbox.take(), await v1.inbox.take(), await v1.inbox.take()].join('|');
  assert.match(told, /\{"ack":"7"/);
  assert.match(told, /\nhello/);
  v1.socket.ping('sign');
  await within(new Promise((resolve) => v1.socket.once('pong', resolve)), 'the pong');
  v1.socket.close(1000);
  await assert.rejects(v1.inbox.take(), /"code":1000/);

  const refused = async (where, headers, status) =>
    assert.equal((await tunnel(session, where, headers)).answer[':status'], status);
  await refused('/healthz', {}, 405);
  await refused(stream, { 'sec-websocket-version': '8' }, 426);
  await refused(stream, { origin: 'https://elsewhere.example' }, 403);
  await refused(`${stream}?echo=2`, {}, 400);
  session.close();
});

// One unmasked frame off the front: { head, payload, rest }.
function cut(bytes) {
  if (bytes.length < 2) return null;
  const long = bytes[1] === 126 ? 2 : bytes[1] === 127 ? 8 : 0;
  if (bytes.length < 2 + long) return null;
  const size = long === 2 ? bytes.readUInt16BE(2) : long === 8 ? Number(bytes.readBigUInt64BE(2)) : bytes[1];
  if (bytes.length < 2 + long + size) return null;
  return { head: bytes[0], payload: bytes.subarray(2 + long, 2 + long + size), rest: bytes.subarray(2 + long + size) };
}

test('permessage-deflate on a stream', limit, async () => {
  const session = await openSession(plain.url);
  const name = freshPath();
  const { stream, answer } = await tunnel(session, name, { 'sec-websocket-extensions': 'permessage-deflate' });
  assert.match(answer['sec-websocket-extensions'], /^permessage-deflate/);
  const text = 'the same again and again, '.repeat(200);
  let bytes = Buffer.alloc(0);
  const frame = new Promise((resolve) => stream.on('data', (data) => {
    bytes = Buffer.concat([bytes, data]);
    if (cut(bytes)) resolve(cut(bytes));
  }));
  await post(plain.url + name, 'text/plain', text);
  const { head, payload } = await within(frame, 'a frame');
  assert.equal(head, 0xc1);
  assert.ok(payload.length < text.length / 10);
  const inflated = zlib.inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 255, 255])]), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  assert.equal(inflated.toString(), text);
  session.destroy();
});

test('a handler of a program: the echo of the examples', limit, async () => {
  const server = await serveEcho();
  const session = await openSession(server.url);
  const socket = await webSocket(session, '/echo');
  socket.send('there and back');
  assert.equal(await socket.inbox.take(), 'there and back');
  socket.send(Buffer.from([1, 2, 3]));
  assert.deepEqual(await socket.inbox.take(), Buffer.from([1, 2, 3]));
  session.destroy();
  await server.stop();
});

test('draining: WebSockets are closed, GOAWAY comes, a client is not cut off', limit, async () => {
  const server = await serve('--drain', '5s');
  const session = await openSession(server.url);
  const socket = await webSocket(session, freshPath());
  const goaways = [];
  session.on('goaway', (code) => goaways.push(code));
  const ended = new Promise((resolve) => session.once('close', resolve));
  server.kill('SIGTERM');
  await assert.rejects(socket.inbox.take(), /"code":1(001|012)/);
  await within(ended, 'the session to end');
  assert.ok(goaways.length > 0 && goaways.every((code) => code === http2.constants.NGHTTP2_NO_ERROR), String(goaways));
  assert.equal(await server.exit(), 0);
});

// ---- other clients ---------------------------------------------------------------------------------------

test('nghttp and h2load', limit, async () => {
  const name = freshPath();
  await post(plain.url + name, 'text/plain', 'for nghttp');
  const { code, out } = await run('nghttp', ['-v', `${plain.url}${name}?offset=-1`]);
  assert.equal(code, 0);
  assert.match(out, /SETTINGS_ENABLE_CONNECT_PROTOCOL\(0x08\):1/);
  assert.match(out, /for nghttp/);
  const load = await run('h2load', ['-n', '2000', '-c', '4', '-m', '20', `${plain.url}/healthz`]);
  assert.match(load.out, /2000 succeeded, 0 failed, 0 errored/);
});

test('--http2-streams 0: HTTP/1.1 only', limit, async () => {
  const server = await serve('--http2-streams', '0');
  const { out } = await run('curl', ['-sS', '-i', '--noproxy', '*', `${server.url}/healthz`]);
  assert.match(out, /^HTTP\/1.1 200/);
  assert.notEqual((await run('curl', ['-sS', '--noproxy', '*', '--http2-prior-knowledge', `${server.url}/healthz`])).code, 0);
  await server.stop();
});

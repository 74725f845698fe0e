// The examples, each run as its first comment says.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { build, here, post, Program, request, run, serve, serveEcho, Server, within } from './helper.mjs';
import { limit, wsClient } from './scenes.mjs';

const example = (name) => path.join(build, 'examples', name);
const start = (name, ...args) => Server.start(example(name), ['127.0.0.1:0', ...args]);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-examples-'));
after(() => fs.rmSync(scratch, { recursive: true }));

test('every example has less than 100 lines, a chat less than 50', () => {
  const directory = path.join(here, '../../examples');
  const apart = ['game.c', 'ticker.c']; // demos, explained in docs/pages.md
  for (const name of fs.readdirSync(directory).filter((name) => /\.(c|py)$/.test(name) && !apart.includes(name))) {
    const count = fs.readFileSync(path.join(directory, name), 'utf8').split('\n').length - 1;
    assert.ok(count < (name === 'chat.c' ? 50 : 100), `${name} has ${count}`);
  }
});

test('hello', limit, async () => {
  const server = await start('hello');
  const answer = await request(`${server.url}/hello/w%C3%B6rld`);
  assert.equal(answer.body.toString(), 'hello, wörld\n');
  assert.equal((await request(`${server.url}/hello/${'x'.repeat(400)}`)).status, 400);
  await server.stop();
});

test('chat: two who talk, and one who comes later', limit, async () => {
  const server = await start('chat');
  assert.match((await request(server.url)).body.toString(), /new WebSocket/);
  const [ada, bob] = [await wsClient().connect(`${server.ws}/live/room`), await wsClient().connect(`${server.ws}/live/room`)];
  ada.send('hello');
  assert.equal(await bob.inbox.take(), 'hello');
  assert.equal(await ada.inbox.take(), 'hello');
  const late = await wsClient().connect(`${server.ws}/live/room?offset=-1`);
  assert.equal(await late.inbox.take(), 'hello');
  for (const person of [ada, bob, late]) person.close();
  await server.stop();
});

test('rest: a note is made, read, deleted', limit, async () => {
  const server = await start('rest');
  const made = await request(`${server.url}/notes`, { method: 'POST', body: '{"text":"milk"}' });
  assert.equal(made.status, 201);
  const note = server.url + made.headers.location;
  assert.deepEqual(JSON.parse((await request(note)).body), { text: 'milk' });
  assert.equal((await request(note, { method: 'DELETE' })).status, 204);
  assert.equal((await request(note)).status, 404);
  assert.equal((await request(`${server.url}/notes`, { method: 'POST', body: 'milk' })).status, 400);
  assert.equal((await request(note, { method: 'PUT' })).status, 405);
  await server.stop();
});

// ---- uploads: bodies in pieces ----

const seen = async (server) =>
  JSON.parse((await request(`${server.url}/live/progress?offset=-1`)).body).map(({ bytes }) => bytes);

test('upload: by length and in chunks, with progress, and whole', limit, async () => {
  const server = await start('upload', scratch);
  const content = randomBytes(5 << 20);
  const whole = await request(`${server.url}/files/a.bin`, { method: 'POST', headers: { 'Content-Length': content.length }, body: content });
  assert.equal(whole.status, 201);
  assert.ok(fs.readFileSync(path.join(scratch, 'a.bin')).equals(content));
  const bytes = await seen(server);
  assert.ok(bytes.length >= 5 && bytes.at(-1) === content.length, String(bytes));

  const outgoing = http.request(`${server.url}/files/b.bin`, { method: 'POST', agent: false });
  for (let at = 0; at < content.length; at += 100_000)
    if (!outgoing.write(content.subarray(at, at + 100_000))) await once(outgoing, 'drain');
  outgoing.end();
  const [answer] = await within(once(outgoing, 'response'), 'an answer');
  assert.equal(answer.statusCode, 201);
  answer.resume();
  assert.ok(fs.readFileSync(path.join(scratch, 'b.bin')).equals(content));
  assert.equal((await request(`${server.url}/files/none`, { method: 'POST' })).status, 201); // no body at all
  assert.equal(fs.statSync(path.join(scratch, 'none')).size, 0);
  await server.stop();
});

test('upload: two on one connection, refused ones between', limit, async () => {
  const server = await start('upload', scratch);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const send = (name, body) => request(`${server.url}/files/${name}`, { method: 'POST', agent, headers: { 'Content-Length': body.length }, body });
  assert.equal((await send('one', 'x'.repeat(100_000))).status, 201);
  assert.equal((await send('two', 'y')).status, 201);
  assert.equal((await send('.hidden', 'z')).status, 400);
  assert.equal((await send('three', 'z')).status, 201);
  agent.destroy();
  await server.stop();
});

test('upload: many over HTTP/2 at once, and one that is given up', limit, async () => {
  const server = await start('upload', scratch);
  const session = http2.connect(server.url);
  const content = randomBytes(3 << 20);
  const send = async (name) => {
    const stream = session.request({ ':method': 'POST', ':path': `/files/${name}` });
    stream.end(content);
    const [headers] = await within(once(stream, 'response'), 'an answer', 30_000);
    stream.resume();
    return headers[':status'];
  };
  assert.deepEqual(await Promise.all(['h1', 'h2', 'h3', 'h4'].map(send)), [201, 201, 201, 201]);
  for (const name of ['h1', 'h2', 'h3', 'h4']) assert.ok(fs.readFileSync(path.join(scratch, name)).equals(content), name);

  const given = session.request({ ':method': 'POST', ':path': '/files/cut', 'content-length': content.length });
  given.on('error', () => {});
  given.write(content.subarray(0, 50_000));
  const file = path.join(scratch, 'cut');
  while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
  given.destroy(); // resets the stream; close() would end it first
  while (fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5)); // taken back
  session.close();
  await server.stop();
});

test('upload: a client that leaves in the middle leaves no file', limit, async () => {
  const server = await start('upload', scratch);
  const outgoing = http.request(`${server.url}/files/half`, { method: 'POST', agent: false, headers: { 'Content-Length': 1_000_000 } });
  outgoing.on('error', () => {});
  outgoing.write(Buffer.alloc(300_000));
  const file = path.join(scratch, 'half');
  while (!fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
  outgoing.destroy();
  while (fs.existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
  await server.stop();
});

// ---- answers that last ----

test('download: as long as asked for, over HTTP/1.1 and HTTP/2', limit, async () => {
  const server = await start('download');
  const answer = await request(`${server.url}/numbers?count=200000`);
  const lines = answer.body.toString().split('\n');
  assert.equal(lines.length, 200_001);
  assert.equal(lines[199_999], '199999');
  assert.equal((await request(`${server.url}/numbers`)).status, 400);
  const session = http2.connect(server.url);
  const stream = session.request({ ':path': '/numbers?count=200000' });
  let size = 0;
  for await (const piece of stream) size += piece.length;
  assert.equal(size, answer.body.length);
  session.close();
  await server.stop();
});

test('events: the clock ticks until the client leaves', limit, async () => {
  const server = await start('events');
  const outgoing = http.request(`${server.url}/clock`, { agent: false });
  outgoing.end();
  const [answer] = await within(once(outgoing, 'response'), 'an answer');
  assert.equal(answer.headers['content-type'], 'text/event-stream');
  let text = '';
  for await (const piece of answer) if ((text += piece).split('\n\n').length > 3) break;
  assert.match(text, /^(data: \d+\.\d{3}\n\n){3}/);
  outgoing.destroy();
  await server.stop();
});

// ---- clients ----

test('say: a WebSocket client talks to echo', limit, async () => {
  const server = await serveEcho();
  assert.deepEqual(await run(example('say'), [`${server.ws}/x`, 'hello', 'again']), { code: 0, out: 'hello\nagain\n', err: '' });
  await server.stop();
  const nobody = await run(example('say'), [`${server.ws}/x`, 'hello']);
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, /no connection/);
  assert.equal((await run(example('say'), ['nonsense', 'hello'])).code, 1);
});

test('follow: goes on where it was', limit, async () => {
  const server = await serve();
  const cursor = path.join(scratch, 'cursor.txt');
  for (const text of ['one', 'two', 'three']) await post(`${server.url}/live/f`, 'text/plain', text);
  assert.equal((await run(example('follow'), [`${server.ws}/live/f`, cursor, '2'])).out, 'one\ntwo\n');
  await post(`${server.url}/live/f`, 'text/plain', 'four');
  assert.equal((await run(example('follow'), [`${server.ws}/live/f`, cursor, '2'])).out, 'three\nfour\n');
  assert.equal((await run(example('follow'), [`${server.ws}/s/none`, path.join(scratch, 'none.txt')])).code, 1);
  await server.stop();
});

test('beside: what is typed is published, beside a poll of the program', limit, async () => {
  const server = await Server.start(example('beside'), ['127.0.0.1:0']);
  server.write('hello\nagain\n');
  const answer = await request(`${server.url}/live/typed?offset=-1&live=long-poll`);
  assert.match(answer.body.toString(), /^hello/);
  server.child.stdin.end();
  assert.equal(await server.exit(), 0); // drained
});

test('token: who shows none is asked for it', limit, async () => {
  const server = new Server(example('token'), ['127.0.0.1:0'], { env: { ...process.env, DUPLEX_TOKEN: 'secret' } });
  const [, url] = await server.says(/listening on ([^\s"]+)/);
  const ask = (authorization) => request(`${url}/private/report`, { headers: authorization ? { Authorization: authorization } : {} });
  assert.equal((await ask('Bearer secret')).body.toString(), 'all is well\n');
  for (const wrong of [undefined, 'Bearer', 'Bearer secre', 'Bearer secrets', 'Basic secret']) {
    const answer = await ask(wrong);
    assert.equal(answer.status, 401, wrong);
    assert.match(answer.headers['www-authenticate'], /^Bearer/);
  }
  await server.stop();
  assert.equal((await run('env', ['-u', 'DUPLEX_TOKEN', example('token')])).code, 2);
});

const isSanitized = fs.readFileSync(path.join(build, 'meson-info/intro-buildoptions.json'), 'utf8').match(/"name": "b_sanitize", "value": (?!"none"|\[\]|\["none"\])/);

test('duplex_ctypes.py: a server in Python', { ...limit, skip: isSanitized ? 'the interpreter is not sanitized' : false }, async () => {
  const server = new Server('python3', [path.join(here, '../../examples/duplex_ctypes.py'), '127.0.0.1:0'], {
    env: { ...process.env, DUPLEX_LIBRARY: path.join(build, 'libduplex.so.0') },
  });
  const [, url] = await server.says(/listening on ([^\s"]+)/);
  assert.equal((await request(`${url}/hello/ada`)).body.toString(), 'hello, ada, from Python\n');
  assert.equal((await request(`${url}/live/seen?last=1`)).body.toString(), 'ada');
  server.kill('SIGKILL');
  await server.ended;
});

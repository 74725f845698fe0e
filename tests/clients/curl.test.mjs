// curl: HTTP/1.1, HTTP/1.0, a Unix socket, a chunked upload, and a WebSocket by hand.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { duplex, freshPath, history, post, Program, run, serve, Server } from './helper.mjs';
import { limit, playHttp, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();

// Runs curl; { status, headers, body, code }.
async function curl(args, input) {
  const { code, out, err } = await run('curl', ['-sS', '-i', '--max-time', '10', ...args], input);
  assert.equal(code, 0, err);
  const [head, ...rest] = out.replace(/^HTTP\/1\.1 100[^]*?\r\n\r\n/, '').split('\r\n\r\n');
  const [line, ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(fields.map((field) => {
    const at = field.indexOf(':');
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()];
  }));
  return { line, status: Number(line.split(' ')[1]), headers, body: rest.join('\r\n\r\n') };
}

const curlClient = (options = [], postOptions = []) => ({
  async post(url, type, body) {
    const answer = await curl([...options, ...postOptions, '-H', `Content-Type: ${type}`, '--data-binary', '@-', url], body);
    return { status: answer.status, next: answer.headers['stream-next-offset'] };
  },
  async get(url) {
    const { status, headers, body } = await curl([...options, url]);
    return {
      status, body, type: headers['content-type'], next: headers['stream-next-offset'],
      upToDate: headers['stream-up-to-date'],
    };
  },
});

playHttp('curl', curlClient(), shared);
playHttp('curl --http1.0', curlClient(['--http1.0']), shared);
playHttp('curl with chunked uploads', curlClient([], ['-H', 'Transfer-Encoding: chunked']), shared);

test('curl: a body that waits for 100-continue is taken', limit, async () => {
  const name = freshPath();
  const body = 'e'.repeat(20_000);
  const answer = await curl(['-H', 'Expect: 100-continue', '-H', 'Content-Type: text/plain', '--data-binary', '@-',
    shared.url + name], body);
  assert.equal(answer.status, 204);
  assert.equal((await history(shared.url + name)).body, body);
});

test('curl: two URLs go over one kept connection', limit, async () => {
  const { code, err } = await run('curl', ['-sS', '-v', '-o', '/dev/null', `${shared.url}/healthz`,
    '-o', '/dev/null', `${shared.url}/healthz`]);
  assert.equal(code, 0, err);
  assert.match(err, /Re-using existing connection/);
});

test('curl: --http1.0 is answered and the connection closed', limit, async () => {
  const { code, err } = await run('curl', ['-sS', '-v', '--http1.0', '-o', '/dev/null', `${shared.url}/healthz`]);
  assert.equal(code, 0, err);
  assert.match(err, /< HTTP\/1\.[01] 200/);
  assert.match(err, /Closing connection/);
});

test('curl: HEAD tells what GET would, without a body', limit, async () => {
  const answer = await curl(['--head', `${shared.url}/healthz`]);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, '');
});

test('curl: the WebSocket upgrade by hand prints frames', limit, async () => {
  const name = freshPath();
  await post(shared.url + name, 'text/plain', 'by hand');
  const program = new Program('curl', ['-sS', '-N', '-i', '--http1.1', '--max-time', '20',
    '-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket', '-H', 'Sec-WebSocket-Version: 13',
    '-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `${shared.url}${name}?offset=-1`]);
  const until = Date.now() + 10_000;
  while (!program.out.includes('by hand') && Date.now() < until) await new Promise((r) => setTimeout(r, 5));
  const said = program.out.toString('latin1');
  assert.match(said, /^HTTP\/1\.1 101 /);
  assert.match(said, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  assert.ok(said.endsWith('\r\n\r\n\x81\x07by hand'), JSON.stringify(said.slice(-40)));
  program.kill();
  await program.ended;
});

for (const [kind, makeAddress, option] of [
  ['a path', () => path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-')), 'socket'), '--unix-socket'],
  ['an abstract name', () => `@duplex-${process.pid}`, '--abstract-unix-socket'],
]) {
  test(`curl: a Unix socket by ${kind}`, limit, async () => {
    const address = makeAddress();
    const server = await Server.start(duplex, ['serve', '--listen', `unix:${address}`]);
    const socket = [option, address.replace(/^@/, '')];
    const name = freshPath();
    const posted = await curl([...socket, '-H', 'Content-Type: text/plain', '-d', 'over unix', `http://localhost${name}`]);
    assert.equal(posted.status, 204);
    const read = await curl([...socket, `http://localhost${name}?offset=-1`]);
    assert.equal(read.body, 'over unix');
    await server.stop();
    if (address[0] !== '@') assert.ok(!fs.existsSync(address), 'the socket file goes with the server');
  });
}

test('curl: one server on two listeners is one set of streams', limit, async () => {
  const address = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-')), 'socket');
  const server = await serve('--listen', `unix:${address}`);
  const name = freshPath();
  const reader = await wsClient().connect(server.ws + name);
  await curl(['--unix-socket', address, '-H', 'Content-Type: text/plain', '-d', 'through the other door',
    `http://localhost${name}`]);
  assert.equal(await reader.inbox.take(), 'through the other door');
  reader.close();
  await server.stop();
});

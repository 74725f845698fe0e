// The log as operators and their tools read it.
// Is:     its formats, the access log, what must never be in it, a reader that does not read.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http2 from 'node:http2';
import net from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { build, duplex, freshPath, patience_ms, post, request, run, serve, within } from './helper.mjs';

const limit = { timeout: 3 * patience_ms };

const parsed = (server) => server.err.trim().split('\n').map((line) => JSON.parse(line));
const requests = (server) => parsed(server).filter((line) => line.msg === 'request');

// The lines of requests, once there are as many: the log's writer is a thread of its own.
async function requestsBecome(server, count) {
  const until = Date.now() + patience_ms;
  while ((server.err.match(/"msg":"request"/g) ?? []).length < count && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const lines = requests(server);
  assert.equal(lines.length, count, server.err);
  return lines;
}

// Bytes as they are, and what comes back until the end.
async function raw(server, text) {
  const socket = net.connect(server.port, '127.0.0.1');
  let got = '';
  socket.on('data', (data) => (got += data));
  socket.end(text);
  await within(once(socket, 'close'), 'the end of the connection');
  return got;
}

test('each line is one JSON object with time, level and msg; in logfmt where that is asked for', limit, async () => {
  const server = await serve();
  await server.stop();
  for (const line of parsed(server)) {
    assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(line.level, /^(info|warn)$/);
    assert.equal(typeof line.msg, 'string');
  }
  const other = await serve('--log-format', 'logfmt');
  await other.stop();
  for (const line of other.err.trim().split('\n')) assert.match(line, /^time=\S+ level=(info|warn) msg=/);
  assert.match((await run(duplex, ['serve', '--log-format', 'xml'])).err, /auto, logfmt.*json/);
});

test('the access log says who asked what and what came of it', limit, async () => {
  const server = await serve('--access-log', 'all'), path = freshPath('log');
  await post(server.url + path, 'text/plain', 'hello');
  await request(`${server.url}${path}?offset=-1`);
  await request(`${server.url}/nowhere`);
  const [publish, history, missing] = await requestsBecome(server, 3);
  assert.equal(publish.method, 'POST');
  assert.equal(publish.path, path);
  assert.equal(publish.status, 204);
  assert.match(publish.peer, /^127\.0\.0\.1:\d+$/);
  for (const key of ['worker', 'connection', 'duration_us', 'bytes']) assert.equal(typeof publish[key], 'number', key);
  assert.deepEqual([history.method, history.path, history.status, history.bytes], ['GET', path, 200, 5]);
  assert.equal(missing.status, 404);
  await server.stop();
});

test('errors only, a part, none: as --access-log says', limit, async () => {
  const errors = await serve('--access-log', 'errors');
  for (const path of ['/healthz', '/nowhere', '/healthz']) await request(errors.url + path);
  assert.deepEqual((await requestsBecome(errors, 1)).map((line) => line.path), ['/nowhere']);
  await errors.stop();
  const some = await serve('--access-log', '50%');
  for (let i = 0; i < 100; i++) await request(`${some.url}/healthz`);
  await some.stop();
  const count = requests(some).length;
  assert.ok(count > 15 && count < 85, `${count} of 100`); // one run in 10^12 is outside
  const none = await serve();
  await request(`${none.url}/nowhere`);
  await none.stop();
  assert.equal(requests(none).length, 0);
  const wrong = await run(duplex, ['serve', '--access-log', '200%']);
  assert.equal(wrong.code, 78);
  assert.match(wrong.err, /off, errors, a percentage such as 5%/);
});

test('no secret is ever logged, and no request can forge a line', limit, async () => {
  const server = await serve('--access-log', 'all', '--log-level', 'debug'), path = freshPath('secret');
  const secrets = { Authorization: 'Bearer s3cret-header', Cookie: 'session=s3cret-cookie' };
  await request(`${server.url}${path}?token=s3cret-query`, { method: 'POST', headers: { ...secrets, 'Content-Type': 'text/plain' }, body: 's3cret-body' });
  const session = http2.connect(server.url);
  const stream = session.request({ ':path': `${path}?offset=-1&token=s3cret-query`, ...secrets });
  stream.resume();
  await within(once(stream, 'close'), 'an answer by HTTP/2');
  session.close();
  const target = `${path}/\x1b[31m\x9b"}\\`;
  await raw(server, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await raw(server, `GET ${path}%0a%7b%22level%22:%22error%22%7d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await raw(server, `GET ${path}"level=error HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await requestsBecome(server, 5);
  await server.stop();
  assert.doesNotMatch(server.err, /s3cret/);
  assert.doesNotMatch(server.err, /[\x00-\x09\x0b-\x1f\x7f]/);
  assert.ok(parsed(server).every((line) => line.level !== 'error'));
  assert.ok(requests(server).some((line) => line.stream === 1), 'the number of the stream of HTTP/2');
});

test('a log that nobody reads keeps no request waiting', limit, async () => {
  const child = spawn(duplex, ['serve', '--listen', '127.0.0.1:0', '--access-log', 'all', '--workers', '1'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => (log += data));
  while (!/listening on/.test(log)) await within(once(child.stderr, 'data'), 'the log');
  child.stderr.pause();
  const url = log.match(/listening on ([^\s"]+)/)[1], path = `/live/${'x'.repeat(400)}`;
  const began = Date.now();
  for (let i = 0; i < 900; i++) assert.equal((await request(url + path)).status, 404); // 500 KiB of lines
  assert.ok(Date.now() - began < patience_ms);
  child.stderr.resume();
  child.kill('SIGTERM');
  const [code] = await within(once(child, 'close'), 'the end');
  assert.equal(code, 0);
  const lines = log.trim().split('\n').map((line) => JSON.parse(line));
  const lost = lines.find((line) => line.msg.startsWith('lines were lost'));
  assert.equal(lines.filter((line) => line.msg === 'request').length + (lost?.lines ?? 0), 900);
});

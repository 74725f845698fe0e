// The WebSocket conformance cases over HTTP/2: a relay takes each connection of theirs and makes it a stream of one
// HTTP/2 connection (RFC 8441). The cases of the handshake by Upgrade are the relay's and left out.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { build, Program, serve, serveEcho } from './helper.mjs';
import { openSession } from './h2_websocket.mjs';

const conformance = path.join(build, 'tests/conformance/ws_conformance');
const passed_on = ['origin', 'sec-websocket-version', 'sec-websocket-protocol', 'sec-websocket-extensions'];

function accept(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function relay(session, request, socket, head) {
  const fields = Object.fromEntries(passed_on.filter((name) => request.headers[name])
    .map((name) => [name, request.headers[name]]));
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': request.url, ...fields },
    { endStream: false });
  stream.on('error', () => {});
  socket.on('error', () => stream.close());
  stream.on('close', () => (stream.rstCode ? socket.destroy() : socket.end()));
  stream.on('response', (answer) => {
    if (answer[':status'] !== 200) {
      socket.end(`HTTP/1.1 ${answer[':status']} Refused\r\nConnection: close\r\n\r\n`);
      return;
    }
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept(request.headers['sec-websocket-key'])}`];
    for (const name of passed_on.slice(2)) if (answer[name]) lines.push(`${name}: ${answer[name]}`);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    if (head.length) stream.write(head);
    socket.pipe(stream);
    stream.pipe(socket);
  });
}

async function play(server, arguments_of) {
  const session = await openSession(server.url);
  const front = http.createServer().listen(0, '127.0.0.1');
  front.on('upgrade', (request, socket, head) => relay(session, request, socket, head));
  await once(front, 'listening');
  const program = new Program(conformance, [...arguments_of(front.address().port), '--quick', '--wait', '60000']);
  const code = await program.exit(280_000);
  const out = program.out.toString();
  front.close();
  session.destroy();
  assert.equal(code, 0, out.split('\n').filter((line) => line.startsWith('not ok')).join('\n'));
  return out.match(/^ok /gm).length;
}

const cases = ['1.', '2.', '3.', '4.', '5.', '6.', '7.', '9.', '10.', '12.', '13.', 'WX-MASK', 'WX-LEN', 'WX-CLOSE', 'WX-PMD'].join(',');

test('the echo of the examples', { timeout: 300_000 }, async () => {
  const server = await serveEcho('--message-max', '33554432');
  const count = await play(server, (port) => ['--url', `ws://127.0.0.1:${port}/echo`, '--only', cases]);
  assert.ok(count > 500, `${count} cases`);
  await server.stop();
});

test('streams', { timeout: 300_000 }, async () => {
  const server = await serve('--message-max', '33554432');
  const count = await play(server, (port) => ['--url', `ws://127.0.0.1:${port}/live`, '--mode', 'stream', '--only',
    ['1.', '2.', '5.', '6.', '7.', '12.1', 'WX-CLOSE'].join(',')]);
  assert.ok(count > 200, `${count} cases`);
  await server.stop();
});

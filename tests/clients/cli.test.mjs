// The command line: pub, sub, help, exit codes, and how serve ends.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { duplex, freshPath, history, historyBecomes, post, Program, request, run, serve, within } from './helper.mjs';
import { limit, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();
const usage = 2;
const configuration = 78;

// Data goes to stdout, talk to stderr; a failure is told in one line that names the program.
function assertFailed({ code, out, err }, expected, about) {
  assert.equal(code, expected, err);
  assert.equal(out, '', 'nothing on stdout');
  assert.match(err, about);
}

test('duplex pub: an argument becomes one message', limit, async () => {
  const path = freshPath();
  const reader = await wsClient().connect(shared.ws + path);
  const { code, out, err } = await run(duplex, ['pub', shared.url + path, 'from the command line']);
  assert.equal(code, 0, err);
  assert.equal(await reader.inbox.take(), 'from the command line');
  assert.equal(out, `${(await history(shared.url + path)).next}\n`, 'it prints the offset behind the message');
  reader.close();
});

test('duplex pub: - reads the message from stdin', limit, async () => {
  const path = freshPath();
  const { code, err } = await run(duplex, ['pub', shared.url + path, '-'], 'piped in');
  assert.equal(code, 0, err);
  assert.equal((await history(shared.url + path)).body, 'piped in');
});

test('duplex pub: --lines makes a message of every line, --type says what they are', limit, async () => {
  const path = freshPath();
  const reader = await wsClient().connect(shared.ws + path);
  const { code, out, err } = await run(duplex, ['pub', '--lines', '--type', 'application/json', shared.url + path],
    '{"n":1}\n[2,3]\n"4"');
  assert.equal(code, 0, err);
  assert.deepEqual(await reader.inbox.takeAll(4), ['{"n":1}', '2', '3', '"4"']);
  assert.equal(out.trim().split('\n').length, 3, 'an offset for each line');
  assert.deepEqual(JSON.parse((await history(shared.url + path)).body), [{ n: 1 }, 2, 3, '4']);
  reader.close();
});

test('duplex pub: the offset it prints is where sub goes on', limit, async () => {
  const path = freshPath();
  const { out } = await run(duplex, ['pub', shared.url + path, 'seen']);
  await post(shared.url + path, 'text/plain', 'missed');
  const after = await run(duplex, ['sub', shared.url + path, '--offset', out.trim(), '--count', '1']);
  assert.deepEqual([after.code, after.out], [0, 'missed\n'], after.err);
});

test('duplex sub: prints history and live messages, and leaves after --count', limit, async () => {
  const path = freshPath();
  await post(shared.url + path, 'text/plain', 'one');
  await post(shared.url + path, 'text/plain', 'two');
  const program = new Program(duplex, ['sub', shared.url + path, '--offset', '-1', '--count', '3']);
  assert.deepEqual(await program.lines.takeAll(2), ['one', 'two']);
  await post(shared.url + path, 'text/plain', 'three');
  assert.equal(await program.exit(), 0, program.err);
  assert.equal(program.out.toString(), 'one\ntwo\nthree\n');
});

test('duplex sub: --offset goes on after a message', limit, async () => {
  const path = freshPath();
  const offset = await post(shared.url + path, 'text/plain', 'seen');
  await post(shared.url + path, 'text/plain', 'missed');
  const { code, out, err } = await run(duplex, ['sub', shared.url + path, '--offset', offset, '--count', '1']);
  assert.deepEqual([code, out], [0, 'missed\n'], err);
});

test('duplex sub: takes a ws:// URL too', limit, async () => {
  const path = freshPath();
  await post(shared.url + path, 'text/plain', 'hello');
  const { code, out, err } = await run(duplex, ['sub', shared.ws + path, '--offset', '-1', '--count', '1']);
  assert.deepEqual([code, out], [0, 'hello\n'], err);
});

test('duplex sub: --raw prints nothing but the messages', limit, async () => {
  const path = freshPath();
  await post(shared.url + path, 'application/octet-stream', Buffer.from([0, 255, 10, 13]));
  await post(shared.url + path, 'application/octet-stream', Buffer.from([1]));
  const program = new Program(duplex, ['sub', '--raw', shared.url + path, '--offset', '-1', '--count', '2']);
  assert.equal(await program.exit(), 0, program.err);
  assert.deepEqual(program.out, Buffer.from([0, 255, 10, 13, 1]));
});

test('duplex sub: leaves with 0 on SIGINT, and when the server drains', limit, async () => {
  const server = await serve();
  const path = freshPath();
  await post(server.url + path, 'text/plain', 'here');
  const programs = [1, 2].map(() => new Program(duplex, ['sub', server.url + path, '--offset', '-1']));
  for (const program of programs) assert.equal(await program.lines.take(), 'here');
  programs[0].kill('SIGINT');
  assert.equal(await programs[0].exit(), 0, programs[0].err);
  await server.stop();
  assert.equal(await programs[1].exit(), 0, programs[1].err);
  assert.match(programs[1].err, /1001/);
});

test('duplex pub and sub: hear each other', limit, async () => {
  const path = freshPath();
  await post(shared.url + path, 'text/plain', 'so that the subscriber is known to be there');
  const program = new Program(duplex, ['sub', shared.url + path, '--offset', '-1', '--count', '11']);
  await program.lines.take();
  for (let i = 0; i < 10; i++) assert.equal((await run(duplex, ['pub', shared.url + path, `n${i}`])).code, 0);
  assert.deepEqual(await program.lines.takeAll(10), Array.from({ length: 10 }, (_, i) => `n${i}`));
  assert.equal(await program.exit(), 0);
});

test('exit 0: --help and version print to stdout', limit, async () => {
  for (const args of [['--help'], ['version']]) {
    const { code, out } = await run(duplex, args);
    assert.equal(code, 0, args[0]);
    assert.match(out, /duplex/);
  }
  for (const command of ['serve', 'pub', 'sub']) assert.match((await run(duplex, ['--help'])).out, new RegExp(`\\b${command}\\b`));
});

test('exit 2: wrong usage', limit, async () => {
  assertFailed(await run(duplex, []), usage, /usage|duplex/i);
  assertFailed(await run(duplex, ['no-such-command']), usage, /no-such-command/);
  assertFailed(await run(duplex, ['serve', '--nonsense']), usage, /--nonsense/);
  assertFailed(await run(duplex, ['pub']), usage, /URL/);
  assertFailed(await run(duplex, ['sub']), usage, /URL/);
  assertFailed(await run(duplex, ['sub', shared.url, '--count', 'many']), usage, /--count|many/);
});

test('exit 78: a configuration that cannot be', limit, async () => {
  assertFailed(await run(duplex, ['serve', '--loop', 'nonsense']), configuration, /nonsense/);
  assertFailed(await run(duplex, ['serve', '--workers', '0']), configuration, /--workers/);
  assertFailed(await run(duplex, ['serve', '--listen', 'not an address']), configuration, /not an address/);
});

test('exit 1: a port that is taken is told in one line', limit, async () => {
  const taken = await run(duplex, ['serve', '--listen', shared.host]);
  assertFailed(taken, 1, new RegExp(shared.host.replaceAll('.', '\\.')));
});

test('exit 1: nobody is listening', limit, async () => {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const url = `http://127.0.0.1:${closed.address().port}/live/x`;
  await new Promise((resolve) => closed.close(resolve));
  assertFailed(await run(duplex, ['pub', url, 'hello']), 1, /refused/i);
  assertFailed(await run(duplex, ['sub', url, '--count', '1']), 1, /refused/i);
});

test('exit 1: the server says no', limit, async () => {
  assertFailed(await run(duplex, ['pub', `${shared.url}/nowhere/x`, 'hello']), 1, /40[45]/);
  assertFailed(await run(duplex, ['sub', `${shared.url}/nowhere/x`, '--count', '1']), 1, /40[45]/);
});

test('SIGTERM drains: every WebSocket gets close 1001, and the exit code is 0', limit, async () => {
  const server = await serve();
  const path = freshPath();
  const clients = [];
  for (let i = 0; i < 20; i++) clients.push(await wsClient().connect(server.ws + path));
  clients[0].send('last words');
  for (const client of clients) assert.equal(await client.inbox.take(), 'last words');
  await server.stop();
  for (const client of clients) {
    await assert.rejects(client.inbox.take());
    assert.equal(client.inbox.ended.code, 1001);
  }
});

test('SIGINT drains too', limit, async () => {
  const server = await serve();
  const client = await wsClient().connect(server.ws + freshPath());
  server.kill('SIGINT');
  assert.equal(await server.exit(), 0);
  await assert.rejects(client.inbox.take());
  assert.equal(client.inbox.ended.code, 1001);
});

test('SIGTERM: a request whose body is still coming is answered', limit, async () => {
  const server = await serve();
  const path = freshPath();
  const socket = net.connect(server.port, '127.0.0.1');
  let said = '';
  socket.on('data', (data) => (said += data));
  socket.write(`POST ${path} HTTP/1.1\r\nHost: ${server.host}\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf `);
  assert.equal((await request(`${server.url}/healthz`)).status, 200, 'the first half has been read by now');
  server.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.write('done');
  await within(once(socket, 'close'), 'the connection to close');
  assert.match(said, /^HTTP\/1\.1 204 /);
  assert.equal(await server.exit(), 0);
});

test('SIGTERM twice ends at once, whatever clients do', limit, async () => {
  const server = await serve();
  const client = await wsClient().connect(server.ws + freshPath());
  client.socket.pause(); // never answers the close
  server.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.kill('SIGTERM');
  await server.exit(2000);
  client.close();
});

test('duplex pub: -- ends the options', limit, async () => {
  const path = freshPath();
  assert.equal((await run(duplex, ['pub', shared.url + path, '--', '--count'])).code, 0, '-- ends the options');
  await historyBecomes(shared.url + path, '--count');
});

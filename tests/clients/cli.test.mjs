// The command line: pub, sub, help, exit codes, and how serve ends.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { duplex, freshPath, history, historyBecomes, post, Program, request, run, serve, Server, within } from './helper.mjs';
import { limit, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();
const usage = 2;
const configuration = 78;

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-cli-'));
after(() => fs.rmSync(scratch, { recursive: true }));
let files = 0;
function file(text) {
  const name = path.join(scratch, `file-${++files}`);
  fs.writeFileSync(name, text);
  return name;
}

// A server where another one has just been killed: the kernel may take a moment to let go of its sockets.
async function serveAgain(listen, ...args) {
  for (let tries = 0; ; tries++) {
    try {
      return await Server.start(duplex, ['serve', '--listen', listen, ...args]);
    } catch (error) {
      if (tries === 50 || !/in use/.test(error.message)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

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
  const programs = [1, 2].map(() => new Program(duplex, ['sub', server.url + path, '--offset', '-1', '--no-retry']));
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

// ---- doors ---------------------------------------------------------------------------------------

const following = ['ws', 'sse', 'long-poll'];

for (const via of following) {
  test(`duplex sub --via ${via}: history, then what comes, in order`, limit, async () => {
    const url = shared.url + freshPath();
    await post(url, 'application/json', '[1,2]');
    const program = new Program(duplex, ['sub', '--via', via, url, '--offset', '-1', '--count', '4']);
    assert.deepEqual(await program.lines.takeAll(2), ['1', '2']);
    await post(url, 'application/json', '3');
    assert.equal(await program.lines.take(), '3');
    await post(url, 'application/json', '{"n": 4}');
    assert.equal(await program.exit(), 0, program.err);
    assert.equal(program.out.toString(), '1\n2\n3\n{"n": 4}\n');
  });

  test(`duplex sub --via ${via}: begins now, if nothing else is said`, limit, async () => {
    const url = shared.url + freshPath();
    await post(url, 'text/plain', 'before');
    const program = new Program(duplex, ['sub', '--via', via, url, '--count', '1']);
    const tick = setInterval(() => post(url, 'text/plain', 'after').catch(() => {}), 50); // it may not listen yet
    assert.match(await program.lines.take(), /^(after)+$/);
    clearInterval(tick);
    assert.equal(await program.exit(), 0, program.err);
  });

  test(`duplex sub --via ${via}: ends with 0 when the stream is closed`, limit, async () => {
    const url = shared.url + freshPath();
    await post(url, 'application/json', '"last"');
    const program = new Program(duplex, ['sub', '--via', via, url, '--offset', '-1']);
    assert.equal(await program.lines.take(), '"last"');
    await request(url, { method: 'POST', headers: { 'Stream-Closed': 'true' } });
    assert.equal(await program.exit(), 0, program.err);
  });

  test(`duplex sub --via ${via}: --last N begins with the last messages`, limit, async () => {
    const url = shared.url + freshPath();
    await post(url, 'application/json', '[1,2,3,4]');
    const program = new Program(duplex, ['sub', '--via', via, url, '--last', '2', '--count', '3']);
    assert.deepEqual(await program.lines.takeAll(2), ['3', '4']);
    await post(url, 'application/json', '5');
    assert.equal(await program.exit(), 0, program.err);
    assert.equal(program.out.toString(), '3\n4\n5\n');
  });

  test(`duplex sub --via ${via}: a cursor that is not kept any more is a gap, told on stderr`, limit, async () => {
    const server = await serve('--config', file('namespaces: [{prefix: /live/, kept: {count: 3}}]\n'));
    const url = server.url + freshPath();
    const offset = await post(url, 'application/json', '1');
    await post(url, 'application/json', '[2,3,4,5,6]');
    const { code, out, err } = await run(duplex, ['sub', '--via', via, url, '--offset', offset, '--count', '3']);
    assert.deepEqual([code, out], [0, '4\n5\n6\n'], err);
    assert.match(err, via === 'long-poll' ? /gap: some messages/ : /gap: 2 messages/);
    await server.stop();
  });

  test(`duplex sub --via ${via}: goes on after the server was killed, nothing lost and nothing twice`, limit, async () => {
    const data = fs.mkdtempSync(path.join(scratch, 'data-'));
    let server = await serve('--no-memory', '--data', data);
    const where = `/s/${via}`;
    assert.equal((await request(server.url + where, { method: 'PUT', headers: { 'Content-Type': 'application/json' } })).status, 201);
    await post(server.url + where, 'application/json', '[1,2]');
    const cursor = path.join(scratch, `cursor-${via}`);
    const program = new Program(duplex,
      ['sub', '--via', via, '--cursor-file', cursor, server.url + where, '--offset', '-1', '--count', '4']);
    assert.deepEqual(await program.lines.takeAll(2), ['1', '2']);
    const listen = new URL(server.url).host;
    server.kill('SIGKILL');
    await server.ended;
    server = await serveAgain(listen, '--no-memory', '--data', data);
    await post(server.url + where, 'application/json', '3');
    const last = await post(server.url + where, 'application/json', '4');
    assert.equal(await program.exit(), 0, program.err);
    assert.equal(program.out.toString(), '1\n2\n3\n4\n');
    assert.match(program.err, /trying again in/);
    assert.equal(fs.readFileSync(cursor, 'utf8'), `${last}\n`);
    await server.stop();
  });
}

test('duplex sub --via http: what has happened, and no more', limit, async () => {
  const url = shared.url + freshPath();
  await post(url, 'application/json', '[1,{"a":[2]}]');
  const all = await run(duplex, ['sub', '--via', 'http', url]);
  assert.deepEqual([all.code, all.out], [0, '1\n{"a":[2]}\n'], all.err);
  const last = await run(duplex, ['sub', '--via', 'http', '--last', '1', url]);
  assert.deepEqual([last.code, last.out], [0, '{"a":[2]}\n'], last.err);
  assertFailed(await run(duplex, ['sub', '--via', 'http', `${url}-not-there`]), 1, /404 Not Found: There is no such stream/);
});

test('duplex sub --json: offset and data; what is no text is base64', limit, async () => {
  const url = shared.url + freshPath();
  const first = await post(url, 'text/plain', 'a "quoted"\nline');
  const second = await post(url, 'text/plain', '{"is": "json"}');
  for (const via of ['ws', 'sse']) {
    const { code, out, err } = await run(duplex, ['sub', '--json', '--via', via, url, '--offset', '-1', '--count', '2']);
    assert.equal(code, 0, err);
    assert.deepEqual(out.trim().split('\n').map(JSON.parse),
      [{ offset: first, data: 'a "quoted"\nline' }, { offset: second, data: { is: 'json' } }]);
  }
  const binary = shared.url + freshPath();
  const third = await post(binary, 'application/octet-stream', Buffer.from([0, 255, 10]));
  for (const via of ['ws', 'sse', 'http']) {
    const { out } = await run(duplex, ['sub', '--json', '--via', via, binary, '--offset', '-1', '--count', '1']);
    assert.deepEqual(JSON.parse(out), { offset: third, base64: 'AP8K' });
  }
});

test('duplex sub --cursor-file: the next run goes on where the last one ended', limit, async () => {
  const url = shared.url + freshPath();
  const cursor = path.join(scratch, 'cursor');
  await post(url, 'application/json', '[1,2,3]');
  const args = ['sub', url, '--cursor-file', cursor, '--offset', '-1', '--count', '2'];
  assert.equal((await run(duplex, args)).out, '1\n2\n');
  await post(url, 'application/json', '4');
  assert.equal((await run(duplex, args)).out, '3\n4\n');
  fs.writeFileSync(cursor, 'x'.repeat(300));
  assertFailed(await run(duplex, args), 1, /more than a cursor/);
  assertFailed(await run(duplex, ['sub', url, '--cursor-file', scratch]), 1, /directory/);
});

test('duplex sub: an offset in the URL is where it begins', limit, async () => {
  const url = shared.url + freshPath();
  const offset = await post(url, 'text/plain', 'seen');
  await post(url, 'text/plain', 'missed');
  for (const via of ['ws', 'sse', 'http']) {
    const { code, out, err } = await run(duplex, ['sub', '--via', via, `${url}?x=1&offset=${offset}`, '--count', '1']);
    assert.deepEqual([code, out], [0, 'missed\n'], err);
  }
  assert.equal((await run(duplex, ['sub', url, '--last', '1', '--offset', 'now'])).code, usage);
  assert.equal((await run(duplex, ['sub', `${url}?offset=now`, '--offset', '-1'])).code, usage);
});

test('duplex sub: gives up after as many failures as it was allowed', limit, async () => {
  const server = await serve();
  const url = server.url + freshPath();
  await post(url, 'text/plain', 'here');
  const program = new Program(duplex, ['sub', url, '--offset', '-1', '--retries', '2']);
  assert.equal(await program.lines.take(), 'here');
  await server.stop();
  assert.equal(await program.exit(), 1);
  assert.match(program.err, /1001[^]*trying again[^]*trying again[^]*gave up after 2 tries/);
});

// A server of the test's own: answers the requests it gets with the functions given, one after the other.
async function script(...answers) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    (answers.shift() ?? ((r) => r.writeHead(500).end()))(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    seen,
    url: `http://127.0.0.1:${server.address().port}/live/x`,
    close: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))),
  };
}

test('duplex sub --via sse: comes back with the last id, after the pause that the server wants', limit, async () => {
  const server = await script(
    (r) => r.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 700\n\nid: 5_5\ndata: one\n\n'),
    (r) => r.writeHead(503, { 'Retry-After': '0' }).end(),
    (r) => r.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('id: 5_6\ndata: two\ndata: lines\n\n'),
    (r) => r.writeHead(204).end());
  const began = Date.now();
  const { code, out, err } = await run(duplex, ['sub', '--via', 'sse', server.url]);
  assert.deepEqual([code, out], [0, 'one\ntwo\nlines\n'], err);
  assert.ok(Date.now() - began >= 700);
  assert.deepEqual(server.seen.map((r) => r.url),
    ['/live/x', '/live/x?offset=5_5', '/live/x?offset=5_5', '/live/x?offset=5_6']);
  assert.ok(server.seen.every((r) => r.headers.accept === 'text/event-stream'));
  await server.close();
});

test('duplex sub --via long-poll: goes round with both cursors of the last answer', limit, async () => {
  const next = (offset, cursor) => ({ 'Content-Type': 'text/plain', 'Stream-Next-Offset': offset, 'Stream-Cursor': cursor });
  const server = await script(
    (r) => r.writeHead(204, next('1_1', '11')).end(),
    (r) => r.writeHead(200, next('1_2', '12')).end('two'),
    (r) => r.destroy(),
    (r) => r.writeHead(410, { 'Content-Type': 'application/problem+json' }).end('{"earliest":"1_8","latest":"1_9"}'),
    (r) => r.writeHead(200, { ...next('1_9', '13'), 'Stream-Up-To-Date': 'true', 'Stream-Closed': 'true' }).end('nine'));
  const { code, out, err } = await run(duplex, ['sub', '--via', 'long-poll', server.url]);
  assert.deepEqual([code, out], [0, 'two\nnine\n'], err);
  assert.match(err, /gap: some messages are not kept any more; going on at 1_8/);
  assert.deepEqual(server.seen.map((r) => r.url.split('?')[1]), ['offset=now&live=long-poll',
    'offset=1_1&live=long-poll&cursor=11', 'offset=1_2&live=long-poll&cursor=12',
    'offset=1_2&live=long-poll&cursor=12', 'offset=1_8&live=long-poll']);
  await server.close();
});

test('duplex pub: a message whose answer was lost is sent again under the same key', limit, async () => {
  const server = await script(
    (r) => r.writeHead(503, { 'Retry-After': '0' }).end('{"detail":"not now"}'),
    (r) => r.destroy(),
    (r) => r.writeHead(204, { 'Stream-Next-Offset': '1_1' }).end());
  const { code, out, err } = await run(duplex, ['pub', server.url, 'hello']);
  assert.deepEqual([code, out], [0, '1_1\n'], err);
  assert.match(err, /503[^]*not now[^]*trying again/);
  const keys = server.seen.map((r) => r.headers['idempotency-key']);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.deepEqual(keys, [keys[0], keys[0], keys[0]]);
  assert.ok(server.seen.every((r) => r.body === 'hello'));
  await server.close();
});

test('duplex pub --lines: a producer, whose numbers tell a repetition', limit, async () => {
  const server = await script(
    (r) => r.writeHead(204).end(), (r) => r.destroy(), (r) => r.writeHead(204).end(), (r) => r.writeHead(409).end());
  const { code, err } = await run(duplex, ['pub', '--lines', server.url], 'a\nb\nc\nd\n');
  assert.equal(code, 1, 'what is refused for good ends it');
  assert.match(err, /message 3: the server answered 409/);
  assert.deepEqual(server.seen.map((r) => [r.headers['producer-seq'], r.body]),
    [['0', 'a'], ['1', 'b'], ['1', 'b'], ['2', 'c']]);
  assert.equal(new Set(server.seen.map((r) => r.headers['producer-id'])).size, 1);
  await server.close();
});

test('duplex pub: --no-retry gives up at once, and a first failure is final', limit, async () => {
  const server = await script((r) => r.writeHead(503).end());
  assertFailed(await run(duplex, ['pub', '--no-retry', server.url, 'x']), 1, /503/);
  assert.equal(server.seen.length, 1);
  await server.close();
});

test('duplex pub --lines: nothing is lost and nothing twice though the server is killed', limit, async () => {
  const data = fs.mkdtempSync(path.join(scratch, 'data-'));
  let server = await serve('--no-memory', '--data', data);
  const listen = new URL(server.url).host;
  const program = new Program(duplex, ['pub', '--create', '--lines', `${server.url}/s/lines`]);
  for (let i = 0; i < 3; i++) {
    for (let n = 0; n < 40; n++) program.write(`${i * 40 + n}\n`);
    await program.lines.takeAll(i < 2 ? 20 : 60); // about half of them are still to come
    if (i === 2) break;
    server.kill('SIGKILL');
    await server.ended;
    server = await serveAgain(listen, '--no-memory', '--data', data);
  }
  program.child.stdin.end();
  assert.equal(await program.exit(), 0, program.err);
  const { out } = await run(duplex, ['sub', `${server.url}/s/lines`, '--offset', '-1', '--count', '120']);
  assert.equal(out, Array.from({ length: 120 }, (_, i) => `${i}\n`).join(''));
  const all = await run(duplex, ['sub', '--via', 'http', '--raw', `${server.url}/s/lines`]);
  assert.equal(all.out, out.replaceAll('\n', ''), 'and there are no more');
  await server.stop();
});

test('duplex pub --via ws: every line acknowledged, in order', limit, async () => {
  const url = shared.url + freshPath();
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`);
  const { code, out, err } = await run(duplex, ['pub', '--via', 'ws', '--lines', url], lines.join('\n'));
  assert.equal(code, 0, err);
  const offsets = out.trim().split('\n');
  assert.equal(offsets.length, 500);
  assert.deepEqual(offsets, [...offsets].sort());
  assert.equal((await history(url)).body, lines.join(''));
  await post(`${url}-json`, 'application/json', '1');
  const bad = await run(duplex, ['pub', '--via', 'ws', `${url}-json`, 'not JSON']);
  assert.equal(bad.code, 1);
  assert.equal(bad.out, '');
});

test('duplex pub --via ws: what was not acknowledged is named, and not sent again', limit, async () => {
  const server = await serve('--config', file('namespaces: [{prefix: /s/, creation: put}]\n'));
  assertFailed(await run(duplex, ['pub', '--via', 'ws', `${server.url}/s/none`, 'x']), 1, /404/);
  await server.stop();
});

test('duplex pub: --data, --file and an argument are messages of their own, in this order', limit, async () => {
  const url = shared.url + freshPath();
  const name = file('from\na file');
  const { code, err } = await run(duplex, ['pub', url, 'first', '--data', 'second', '--data', 'third', '--file', name]);
  assert.equal(code, 0, err);
  const { out } = await run(duplex, ['sub', '--json', url, '--offset', '-1', '--count', '4']);
  assert.deepEqual(out.trim().split('\n').map((line) => JSON.parse(line).data), ['first', 'second', 'third', 'from\na file']);
  const lined = `${url}-lines`;
  assert.equal((await run(duplex, ['pub', '--lines', '--file', name, '--file', name, lined])).code, 0);
  assert.equal((await history(lined)).body, 'froma filefroma file');
  assertFailed(await run(duplex, ['pub', url, '--file', `${name}-not-there`]), 1, /No such file/);
});

test('duplex pub --create: makes a stream that is made by PUT only', limit, async () => {
  const url = `${shared.url}/s/created-${process.pid}`;
  assertFailed(await run(duplex, ['pub', url, 'x']), 1, /404/);
  assert.equal((await run(duplex, ['pub', '--create', url, 'x'])).code, 0);
  assert.equal((await run(duplex, ['pub', '--create', url, 'y'])).code, 0, 'it is there already');
  assertFailed(await run(duplex, ['pub', '--create', '--type', 'application/json', url, '1']), 1, /409/);
  assert.equal((await history(url)).body, 'xy');
});

// ---- configuration -------------------------------------------------------------------------------

test('duplex check: good, or every fault with its place', limit, async () => {
  const good = file('workers: 2\n');
  assert.deepEqual(await run(duplex, ['check', good]), { code: 0, out: `${good}: good\n`, err: '' });
  const bad = file('workers: 0\nlisen: x\n');
  const { code, out, err } = await run(duplex, ['check', bad]);
  assert.deepEqual([code, out], [configuration, '']);
  assert.deepEqual(err.trim().split('\n').map((line) => line.split(' ')[0]), [`${bad}:1:10:`, `${bad}:2:1:`]);
  assertFailed(await run(duplex, ['check', `${bad}-not-there`]), configuration, /No such file/);
  assertFailed(await run(duplex, ['serve', '--config', bad]), configuration, /:2:1: unknown key "lisen"; allowed: listen/);
  assertFailed(await run(duplex, ['check']), usage, /FILE/);
});

test('duplex config: each value with its source', limit, async () => {
  const config = file('drain: 3s\nworkers: 2\nloop: epoll\n');
  const program = new Program(duplex, ['config', '--config', config, '--workers', '4', '--no-deflate'],
    { env: { ...process.env, DUPLEX_LOOP: 'io_uring', DUPLEX_ORIGINS: 'https://a.example https://b.example' } });
  assert.equal(await program.exit(), 0, program.err);
  const said = program.out.toString();
  for (const line of [/^workers: 4 +# --workers$/m, /^loop: io_uring +# DUPLEX_LOOP$/m, /^deflate: false +# --no-deflate$/m,
    /^log_level: info +# default$/m, /^origins: \["https:\/\/a.example", "https:\/\/b.example"\] +# DUPLEX_ORIGINS$/m,
    /^memory: true +# DUPLEX_MEMORY$/m]) assert.match(said, line);
  assert.ok(said.includes(`drain: 3s`) && said.includes(`# ${config}:1\n`));
  assert.equal((await run(duplex, ['check', file(said)])).code, 0, 'what it prints is a good file');
});

test('duplex serve --config: its namespaces, and nothing else', limit, async () => {
  const server = await serve('--config', file(`
access: {subject_header: X-Who, trusted_from: 127.0.0.1/8}
namespaces:
  - prefix: /rooms/
    type: application/json
    message_max: 10B
    access: {default: anyone, publish: known, delete: nobody}
  - prefix: /u/{sub}/
`));
  const who = (name) => (name ? { 'X-Who': name, 'Content-Type': 'application/json' } : { 'Content-Type': 'application/json' });
  const status = async (method, where, name, body) =>
    (await request(server.url + where, { method, headers: who(name), body })).status;
  assert.equal(await status('POST', '/rooms/a', null, '1'), 401);
  assert.equal(await status('POST', '/rooms/a', 'ada', '1'), 204);
  assert.equal(await status('POST', '/rooms/a', 'ada', '12345678901'), 413);
  assert.equal(await status('DELETE', '/rooms/a', 'ada'), 403);
  assert.equal(await status('GET', '/rooms/a', null), 200);
  assert.equal(await status('POST', '/live/a', 'ada', '1'), 404);
  assert.equal(await status('POST', '/u/ada/inbox', 'bob', '"hello"'), 204);
  assert.equal(await status('GET', '/u/ada/inbox', 'ada'), 200);
  assert.equal(await status('GET', '/u/ada/inbox', 'bob'), 403);
  assert.equal(await status('GET', '/u/ada/inbox', null), 401);
  assert.equal(await status('DELETE', '/u/ada/inbox', 'bob'), 403);
  assert.equal(await status('DELETE', '/u/ada/inbox', 'ada'), 204);
  await server.stop();
});

test('duplex backup copies a directory that a server has, duplex verify checks it, a copy is served as it was', limit, async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-backup-'));
  const data = path.join(directory, 'data');
  const server = await serve('--no-memory', '--data', data);
  const put = await request(`${server.url}/s/kept`, { method: 'PUT', headers: { 'Content-Type': 'text/plain' } });
  assert.equal(put.status, 201);
  await post(`${server.url}/s/kept`, 'text/plain', 'one,');
  const restored = path.join(directory, 'restored');
  fs.mkdirSync(restored);
  const copy = path.join(restored, 'duplex.db');
  assert.equal((await run(duplex, ['backup', data, copy])).code, 0);
  await post(`${server.url}/s/kept`, 'text/plain', 'two');
  const twice = await run(duplex, ['backup', data, copy]);
  assert.equal(twice.code, 1);
  assert.match(twice.err, /exists already/);
  assert.match((await run(duplex, ['verify', data])).out, /: 1 streams, 2 messages, 7 bytes, 0 faults/);
  await server.stop();

  const second = await serve('--no-memory', '--data', restored);
  assert.equal((await history(`${second.url}/s/kept`)).body, 'one,');
  await second.stop();

  const broken = fs.readFileSync(copy);
  broken[Math.floor(broken.length / 2)] ^= 1;
  fs.writeFileSync(copy, broken);
  const found = await run(duplex, ['verify', restored]);
  assert.equal(found.code, 1, found.out + found.err);
  fs.rmSync(directory, { recursive: true });
});

// All that a stream may have: types, producers, keys, ends, lifetimes, forks, what was trimmed.
async function makeStreams(url) {
  const ask = async (method, path, type, body, headers = {}, status = 204) => {
    const answer = await request(`${url}${path}`, { method, headers: { ...(type && { 'Content-Type': type }), ...headers }, body });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.body}`);
    return answer.headers['stream-next-offset'];
  };
  const text = 'text/plain; charset=utf-8';
  await ask('PUT', '/s/text', text, '', {}, 201);
  const middle = await ask('POST', '/s/text', text, 'line\nand "quotes", \u0000, ü, 😀');
  await ask('POST', '/s/text', text, 'second', { 'Producer-Id': 'p1', 'Producer-Epoch': '0', 'Producer-Seq': '0' }, 200);
  await ask('POST', '/s/text', text, 'third', { 'Idempotency-Key': 'k1', 'Stream-Seq': 'abc' });
  await ask('PUT', '/s/json', 'application/json', '', { 'Stream-TTL': '100000' }, 201);
  await ask('POST', '/s/json', 'application/json', '[{"a":[1,2]}, "x" ,{"b":\n2}]');
  await ask('PUT', '/s/binary', 'application/octet-stream', '', { 'Stream-Expires-At': '2099-01-02T03:04:05Z' }, 201);
  await ask('POST', '/s/binary', 'application/octet-stream', Buffer.from([0, 255, 254, 10, 128]));
  await ask('PUT', '/s/closed', text, 'last words', { 'Stream-Closed': 'true' }, 201);
  await ask('PUT', '/s/empty', text, '', {}, 201);
  await ask('PUT', '/s/fork', text, '', { 'Stream-Forked-From': '/s/text', 'Stream-Fork-Offset': middle }, 201);
  await ask('POST', '/s/fork', text, 'another way');
  await ask('PUT', '/s/many', text, '', {}, 201);
  for (let n = 0; n < 120; n++) await ask('POST', '/s/many', text, `${n},`);
  return middle;
}

test('duplex export and import: all that streams have, out of a served directory and into another', limit, async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-export-'));
  const [data, copy, part] = ['data', 'copy', 'part'].map((name) => path.join(directory, name));
  const server = await serve('--no-memory', '--data', data);
  const cursor = await makeStreams(server.url);
  const first = await run(duplex, ['export', data]);
  assert.equal(first.code, 0, first.err);
  assert.match(first.err, /7 streams, 130 messages/);
  const lines = first.out.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines[0], { duplex: 'export', version: 1 });
  assert.deepEqual(lines.at(-1), { end: true, streams: 7, messages: 130 });
  assert.deepEqual(lines.filter((line) => line.json).map((line) => [line.json, line.more ?? false]),
    [[{ a: [1, 2] }, true], ['x', true]]);
  assert.ok(lines.some((line) => line.text_base64 === Buffer.from([0, 255, 254, 10, 128]).toString('base64')));
  assert.ok(lines.some((line) => line.producer === 'p1' && line.seq === 0));

  // Into an empty directory, through a pipe; what comes out of that is the same.
  const imported = await run(duplex, ['import', copy], first.out);
  assert.equal(imported.code, 0, imported.err);
  assert.match(imported.err, /7 streams, 130 messages/);
  const second = await run(duplex, ['export', copy]);
  assert.equal(second.out, first.out);
  assert.match((await run(duplex, ['verify', copy])).out, / 0 faults/);

  // What is served from it is what was: cursors, duplicates, ends.
  const again = await serve('--no-memory', '--data', copy);
  for (const name of ['text', 'json', 'binary', 'closed', 'empty', 'fork', 'many']) {
    const [was, is] = await Promise.all([server, again].map((from) => request(`${from.url}/s/${name}?offset=-1`)));
    assert.deepEqual(is.body, was.body, name);
    for (const field of ['stream-next-offset', 'content-type', 'stream-closed', 'etag'])
      assert.equal(is.headers[field], was.headers[field], `${field} of ${name}`);
  }
  assert.equal((await history(`${again.url}/s/text`, cursor)).body, 'secondthird');
  const producer = { 'Content-Type': 'text/plain; charset=utf-8', 'Producer-Id': 'p1', 'Producer-Epoch': '0' };
  const repeated = { method: 'POST', body: 'second', headers: { ...producer, 'Producer-Seq': '0' } };
  assert.equal((await request(`${again.url}/s/text`, repeated)).status, 204, 'a duplicate');
  assert.equal((await history(`${again.url}/s/text`, cursor)).body, 'secondthird');
  assert.ok((await request(`${again.url}/s/json`, { method: 'HEAD' })).headers['stream-ttl']);
  await again.stop();
  await server.stop();

  // A part of it, to a file and from one.
  const file = path.join(directory, 'part.jsonl');
  assert.match((await run(duplex, ['export', data, '/s/*t', '--file', file])).err, /1 streams, 3 messages/);
  assert.match((await run(duplex, ['export', data, '--file', file])).err, /File exists/);
  assert.equal((await run(duplex, ['import', part, file])).code, 0);
  const twice = await run(duplex, ['import', part, file]);
  assert.equal(twice.code, 1);
  assert.match(twice.err, /line 2: there is such a stream already/);
  fs.rmSync(directory, { recursive: true });
});

test('duplex import says what is wrong, and in which line', limit, async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-import-'));
  const begin = '{"duplex":"export","version":1}\n';
  const epoch = '0123456789abcdef';
  const at = (sequence) => `${epoch}_${sequence.toString(16).padStart(16, '0')}`;
  const stream = (more = {}) => JSON.stringify({ stream: '/s/a', type: 'text/plain', kind: 'text', identity: epoch,
    epochs: [at(0)], first: 1, tail: 2, ...more }) + '\n';
  const message = (sequence, more = {}) => JSON.stringify({ offset: at(sequence), time: '2026-01-02T03:04:05Z', text: 'x', ...more }) + '\n';
  const end = (streams, messages) => JSON.stringify({ end: true, streams, messages }) + '\n';
  const whole = begin + stream() + message(1) + message(2) + end(1, 2);
  const cases = [
    ['', /line 0: it ends here, before its end/],
    ['nonsense', /line 1: /],
    ['{"a":1}', /line 1: not a line of an export/],
    [stream(), /line 1: this is no export of duplex/],
    ['{"duplex":"export","version":2}', /line 1: this export is of a newer version/],
    [begin + begin, /line 2: a second beginning/],
    [begin + message(1), /line 2: a message comes behind its stream/],
    [begin + stream({ stream: 's/a' }), /line 2: "stream" must be a path/],
    [begin + stream({ kind: 'song' }), /line 2: "kind" must be/],
    [begin + stream({ identity: 'x' }), /line 2: "identity" must be/],
    [begin + stream({ epochs: [] }), /line 2: "epochs" must have one/],
    [begin + stream({ epochs: [at(0), at(0)] }), /line 2: "epochs" must be offsets that rise/],
    [begin + stream({ first: 4 }), /line 2: "first" and "tail"/],
    [begin + stream({ ttl_s: -1 }), /line 2: "ttl_s"/],
    [begin + stream({ expires: 'soon' }), /line 2: "expires"/],
    [begin + stream() + '{"producer":"p"}', /line 3: a producer has/],
    [begin + stream() + message(1) + '{"stream_seq":"p"}', /line 4: producers and keys come/],
    [begin + stream() + message(2), /line 3: not the offset that comes next/],
    [begin + stream() + message(1).replace(epoch, epoch.replace('0', '1')), /line 3: the offset is not of the epoch/],
    [begin + stream() + message(1, { time: 1 }), /line 3: "time" must be a time/],
    [begin + stream() + message(1, { text: undefined }), /line 3: a message has/],
    [begin + stream() + message(1, { text: undefined, text_base64: '!' }), /line 3: a message has/],
    [begin + stream() + message(1) + end(1, 1), /line 4: messages of the stream before are missing/],
    [begin + stream() + message(1) + message(2) + message(3), /line 5: not the offset that comes next/],
    [begin + stream() + message(1) + message(2) + end(2, 2), /line 5: the number of streams or messages/],
    [begin + stream() + message(1) + message(2), /line 4: it ends here, before its end/],
    [whole + message(3), /line 6: something follows the end/],
    [begin + stream() + message(1) + message(2) + stream(), /line 5: there is such a stream already/],
  ];
  for (const [index, [text, expected]] of cases.entries()) {
    const { code, err } = await run(duplex, ['import', path.join(directory, String(index))], text);
    assert.equal(code, 1, text);
    assert.match(err, expected, text);
  }
  const good = path.join(directory, 'good');
  assert.equal((await run(duplex, ['import', good], whole)).code, 0);

  // One that had messages, of which none is retained; and one that begins in the middle.
  const trimmed = begin + stream({ first: 501, tail: 500 }) + stream({ stream: '/s/b', first: 7, tail: 8, epochs: [at(0), `1${epoch.slice(1)}${at(8).slice(16)}`] }) +
    message(7) + message(8).replace('"0', '"1') + end(2, 2);
  const there = path.join(directory, 'trimmed');
  const imported = await run(duplex, ['import', there], trimmed);
  assert.equal(imported.code, 0, imported.err);
  assert.equal((await run(duplex, ['export', there])).out, trimmed.replaceAll('"text":"x"}', '"text":"x"}'));
  const server = await serve('--no-memory', '--data', there);
  assert.equal((await run(duplex, ['import', there], whole)).code, 1);
  assert.equal((await history(`${server.url}/s/a`, at(500))).body, '');
  assert.equal((await request(`${server.url}/s/a?offset=${at(3)}`)).status, 410);
  await post(`${server.url}/s/a`, 'text/plain', 'goes on');
  assert.equal((await history(`${server.url}/s/a`, at(500))).next, at(501));
  await server.stop();
  fs.rmSync(directory, { recursive: true });
});

// duplex pub and sub over HTTP/2: every door, against our server in clear and through TLS, and against Node's.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { forHost, served } from './certificates.mjs';
import { duplex, freshPath, history, Program, request, run, serve, Server } from './helper.mjs';
import { limit, sharedServer } from './scenes.mjs';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-h2-client-'));
after(() => fs.rmSync(scratch, { recursive: true }));
const localhost = await forHost('localhost', 'localhost');
const shared = sharedServer(() => serve('--log-level', 'debug'));
const secure = sharedServer(() => serve('--log-level', 'debug', ...served(localhost)));
const secureUrl = () => `https://localhost:${secure.server.port}`;
const believing = ['--cacert', localhost.cert];

// The requests of one stream that the server's log has as HTTP/2: "connection stream: method".
const logged = (server, where) => [...server.err.matchAll(/HTTP\/2 connection (\S+), stream (\d+): (\S+)(?: websocket)? ([^\s"]+)/g)]
  .filter(([, , , , target]) => target.split('?')[0] === where).map(([, connection, stream, method]) => ({ connection, stream, method }));

// ---- our server ---------------------------------------------------------------------------------------

const ways = [
  ['in clear, --http 2', () => shared, () => shared.url, ['--http', '2'], true],
  ['in clear, as it is', () => shared, () => shared.url, [], false],
  ['through TLS, as it is', () => secure, secureUrl, believing, true],
  ['through TLS, --http 2', () => secure, secureUrl, [...believing, '--http', '2'], true],
  ['through TLS, --http 1.1', () => secure, secureUrl, [...believing, '--http', '1.1'], false],
];

for (const [name, server, base, options, isHttp2] of ways)
  test(`duplex pub and sub ${name}: every door`, limit, async () => {
    const where = freshPath('h2');
    const url = base() + where;
    const json = ['--type', 'application/json'];
    const posted = await run(duplex, ['pub', ...options, ...json, '--lines', url], '1\n2\n3\n');
    assert.equal(posted.code, 0, posted.err);
    assert.equal(posted.out.trim().split('\n').length, 3);
    const sent = await run(duplex, ['pub', ...options, ...json, '--via', 'ws', '--lines', url], '4\n5\n');
    assert.equal(sent.code, 0, sent.err);
    for (const via of ['ws', 'sse', 'long-poll', 'http']) {
      const { code, out, err } = await run(duplex, ['sub', ...options, '--via', via, url, '--offset', '-1', '--count', '5']);
      assert.deepEqual([code, out], [0, '1\n2\n3\n4\n5\n'], `${via}: ${err}`);
    }
    const seen = logged(server().server, where);
    if (!isHttp2) return assert.deepEqual(seen, []);
    assert.deepEqual(seen.map(({ method }) => method), ['POST', 'POST', 'POST', 'CONNECT', 'CONNECT', 'GET', 'GET', 'GET']);
    assert.equal(new Set(seen.slice(0, 3).map(({ connection }) => connection)).size, 1, 'a series is one connection');
    assert.deepEqual(seen.slice(0, 3).map(({ stream }) => stream), ['1', '3', '5']);
  });

test('duplex sub --http 2: what is refused is told as by HTTP/1.1', limit, async () => {
  for (const via of ['ws', 'sse', 'long-poll', 'http']) {
    const { code, out, err } = await run(duplex, ['sub', '--http', '2', '--via', via, `${shared.url}/s/never-made`]);
    assert.deepEqual([code, out], [1, ''], via);
    assert.match(err, /the server answered 404 Not Found/, via);
  }
});

test('duplex sub --http 2: a megabyte comes whole, and a message larger than any window', limit, async () => {
  const url = shared.url + freshPath();
  const big = 'x'.repeat(1_000_000);
  const { code, err } = await run(duplex, ['pub', '--http', '2', '--type', 'text/plain', url, '-'], big);
  assert.equal(code, 0, err);
  for (const via of ['ws', 'http']) {
    const { out } = await run(duplex, ['sub', '--http', '2', '--raw', '--via', via, url, '--offset', '-1', '--count', '1']);
    assert.equal(out.length, big.length, via);
  }
});

async function serveAgain(listen, ...args) {
  for (let tries = 0; ; tries++) {
    try {
      return await Server.start(duplex, ['serve', '--listen', listen, ...args]);
    } catch (error) { // the kernel may take a moment to let go of the sockets of the one before
      if (tries === 50 || !/in use/.test(error.message)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test('duplex pub and sub --http 2: nothing is lost and nothing twice though the server is killed', limit, async () => {
  const data = fs.mkdtempSync(path.join(scratch, 'data-'));
  const kept = ['--no-memory', '--data', data];
  let server = await serve(...kept);
  const listen = new URL(server.url).host;
  const url = `${server.url}/s/lines`;
  assert.equal((await request(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' } })).status, 201);
  const readers = ['ws', 'sse', 'long-poll'].map((via) => [via, path.join(scratch, `cursor-${via}`)]).map(([via, cursor]) =>
    new Program(duplex, ['sub', '--http', '2', '--via', via, '--cursor-file', cursor, url, '--offset', '-1', '--count', '60']));
  const writer = new Program(duplex, ['pub', '--http', '2', '--type', 'application/json', '--lines', url]);
  for (let i = 0; i < 2; i++) {
    for (let n = 0; n < 30; n++) writer.write(`${i * 30 + n}\n`);
    await writer.lines.takeAll(i === 0 ? 15 : 45); // about half of them are still to come
    if (i === 1) break;
    for (const reader of readers) await reader.lines.takeAll(5);
    server.kill('SIGKILL');
    await server.ended;
    server = await serveAgain(listen, ...kept);
  }
  writer.child.stdin.end();
  assert.equal(await writer.exit(), 0, writer.err);
  const expected = Array.from({ length: 60 }, (_, i) => `${i}\n`).join('');
  for (const reader of readers) {
    assert.equal(await reader.exit(), 0, reader.err);
    assert.equal(reader.out.toString(), expected);
  }
  assert.equal((await history(url)).body, `[${expected.trim().replaceAll('\n', ',')}]`);
  await server.stop();
});

test('duplex sub --http 2: a server that drains is told of, and waited for', limit, async () => {
  const server = await serve();
  const url = server.url + freshPath();
  const programs = ['ws', 'sse', 'long-poll'].map((via) => new Program(duplex, ['sub', '--http', '2', '--via', via, url, '--offset', '-1']));
  await run(duplex, ['pub', '--http', '2', '--type', 'application/json', url, '1']);
  for (const program of programs) assert.equal(await program.lines.take(), '1');
  await server.stop();
  for (const program of programs) {
    await program.says(/trying again in/);
    program.kill('SIGINT');
    assert.equal(await program.exit(), 0, program.err);
  }
});

test('duplex pub: what cannot be reached is named, with what to do', limit, async () => {
  const closed = http.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  closed.close();
  await once(closed, 'close');
  for (const version of ['1.1', '2'])
    for (const args of [['pub', '--http', version], ['sub', '--http', version], ['sub', '--http', version, '--via', 'sse']]) {
      const { code, err } = await run(duplex, [...args, `http://127.0.0.1:${port}/live/x`, ...(args[0] === 'pub' ? ['hello'] : [])]);
      assert.equal(code, 1);
      assert.equal(err, `duplex ${args[0]}: cannot connect to 127.0.0.1:${port}: connection refused; is a server listening there?\n`);
    }
});

// ---- Node's server ------------------------------------------------------------------------------------

// Answers the requests one after the other with these, (stream, headers, body); the last one again and again.
async function script(options, ...answers) {
  const seen = [];
  const sessions = new Set();
  const server = options.cert ? http2.createSecureServer(options) : http2.createServer(options);
  server.on('session', (session) => sessions.add(session));
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => {});
    let body = '';
    const answer = answers[Math.min(seen.length, answers.length - 1)];
    seen.push({ headers, get body() { return body; }, session: stream.session });
    if (headers[':method'] !== 'CONNECT') for await (const piece of stream) body += piece;
    answer(stream, headers, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    seen, server, sessions, port, url: options.cert ? `https://localhost:${port}/live/x` : `http://127.0.0.1:${port}/live/x`,
    async close() {
      sessions.forEach((session) => session.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

const good = (offset) => (stream) => (stream.respond({ ':status': 204, 'stream-next-offset': offset }), stream.end());

test("Node's server: a request is what it is to be, and a series one connection", limit, async () => {
  const server = await script({}, good('1_1'), good('1_2'), good('1_3'));
  const { code, out, err } = await run(duplex, ['pub', '--http', '2', '--lines', server.url], 'one\ntwo\nthree\n');
  assert.deepEqual([code, out], [0, '1_1\n1_2\n1_3\n'], err);
  const [{ headers }] = server.seen;
  assert.deepEqual([headers[':method'], headers[':path'], headers[':scheme'], headers[':authority']],
    ['POST', '/live/x', 'http', `127.0.0.1:${server.port}`]);
  assert.deepEqual([headers['content-type'], headers['content-length'], headers['producer-seq']],
    ['text/plain; charset=utf-8', '3', '0']);
  for (const name of ['connection', 'host', 'expect', 'transfer-encoding']) assert.equal(headers[name], undefined, name);
  assert.deepEqual(server.seen.map(({ body }) => body), ['one', 'two', 'three']);
  assert.equal(server.sessions.size, 1);
  await server.close();
});

test("Node's server goes away, refuses, or resets: the message is sent again under the same key, once", limit, async () => {
  const trouble = {
    'GOAWAY that leaves it out': (stream) => stream.session.goaway(http2.constants.NGHTTP2_NO_ERROR, stream.id - 2 > 0 ? stream.id - 2 : 0),
    REFUSED_STREAM: (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
    CANCEL: (stream) => stream.close(http2.constants.NGHTTP2_CANCEL),
    'the end of the connection': (stream) => stream.session.destroy(),
  };
  for (const [name, make] of Object.entries(trouble)) {
    const server = await script({}, good('1_1'), make, good('1_2'));
    const { code, out, err } = await run(duplex, ['pub', '--http', '2', '--lines', server.url], 'one\ntwo\n');
    assert.deepEqual([code, out], [0, '1_1\n1_2\n'], `${name}: ${err}`);
    assert.match(err, /message 2: .*trying again in/, name);
    assert.deepEqual(server.seen.map((r) => [r.headers['producer-seq'], r.body]), [['0', 'one'], ['1', 'two'], ['1', 'two']], name);
    assert.equal(new Set(server.seen.map((r) => r.headers['producer-id'])).size, 1);
    await server.close();
  }
});

test("Node's server through TLS: ALPN decides, and the certificate has to be believed", limit, async () => {
  const tls = { cert: fs.readFileSync(localhost.cert), key: fs.readFileSync(localhost.key), allowHTTP1: true };
  const server = await script(tls, good('1_1'));
  assert.equal((await run(duplex, ['pub', ...believing, server.url, 'hello'])).code, 0);
  assert.equal(server.seen.length, 1);
  const old = [];
  server.server.on('request', (req, res) => req.httpVersion === '1.1' && (old.push(req.url), res.writeHead(204).end()));
  assert.equal((await run(duplex, ['pub', ...believing, '--http', '1.1', server.url, 'hello'])).code, 0);
  assert.deepEqual([server.seen.length, old.length], [1, 1]);
  const unknown = await run(duplex, ['pub', server.url, 'hello']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /certificate/);
  assert.equal((await run(duplex, ['pub', '--insecure', server.url, 'hello'])).code, 0);
  await server.close();
});

// A frame of RFC 6455 from a server: short text, or a close with 1000.
const textFrame = (text) => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
const closeFrame = Buffer.from([0x88, 2, 0x03, 0xe8]);

test("Node's server: a WebSocket is a stream of its connection (RFC 8441)", limit, async () => {
  const server = await script({ settings: { enableConnectProtocol: true } }, (stream) => {
    stream.respond({ ':status': 200 });
    stream.write(textFrame('over HTTP/2'));
    stream.write(closeFrame);
    stream.on('data', () => {});
    stream.on('end', () => stream.end());
  });
  const { code, out, err } = await run(duplex, ['sub', '--http', '2', server.url.replace('http', 'ws')]);
  assert.deepEqual([code, out], [0, 'over HTTP/2\n'], err);
  const [{ headers }] = server.seen;
  assert.deepEqual([headers[':method'], headers[':protocol'], headers[':path'], headers['sec-websocket-version'],
    headers['sec-websocket-protocol'], headers['sec-websocket-key'], headers.upgrade],
  ['CONNECT', 'websocket', '/live/x', '13', 'duplex.v1', undefined, undefined]);
  await server.close();
});

test("Node's server has no WebSocket over HTTP/2: HTTP/1.1 is taken for it, unless that is not wanted", limit, async () => {
  const tls = { cert: fs.readFileSync(localhost.cert), key: fs.readFileSync(localhost.key), allowHTTP1: true };
  const server = await script(tls, () => {});
  const sockets = new WebSocketServer({ server: server.server, handleProtocols: () => false });
  sockets.on('connection', (socket) => (socket.send('over HTTP/1.1'), socket.close(1000)));
  const url = server.url.replace('https', 'wss');
  const { code, out, err } = await run(duplex, ['sub', ...believing, url]);
  assert.deepEqual([code, out], [0, 'over HTTP/1.1\n'], err);
  const never = await run(duplex, ['sub', ...believing, '--http', '2', url]);
  assert.deepEqual([never.code, never.out], [1, '']);
  assert.match(never.err, /no WebSocket over HTTP\/2 \(RFC 8441\)/);
  sockets.close();
  await server.close();
});

test('a server of HTTP/1.1 alone: --http 2 says so', limit, async () => {
  const server = http.createServer((_, response) => response.writeHead(204).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  for (const args of [['pub', '--http', '2'], ['sub', '--http', '2'], ['sub', '--http', '2', '--via', 'sse']]) {
    const { code, err } = await run(duplex, [...args, `http://127.0.0.1:${server.address().port}/`, ...(args[0] === 'pub' ? ['x'] : [])]);
    assert.equal(code, 1);
    assert.match(err, /HTTP\/1\.1 here, and not HTTP\/2/);
  }
  const usage = await run(duplex, ['pub', '--http', '3', 'http://127.0.0.1/', 'x']);
  assert.equal(usage.code, 2);
  assert.match(usage.err, /--http/);
  server.closeAllConnections();
  server.close();
});

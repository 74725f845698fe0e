// duplex compare, for real: what it measures is plausible, and its table, JSON and plot say the same.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { duplex, Program, run, serve } from './helper.mjs';

const limit = { timeout: 180_000 };
const long_ms = 150_000; // a sanitized build on a busy machine; it is not timed here
const failure = 1;
const usage = 2;

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-compare-'));
after(() => fs.rmSync(scratch, { recursive: true }));

const compare = (...args) => run(duplex, ['compare', ...args], '', long_ms);
const measured = (report) => report.ways.filter((way) => !way.missing);
const total = (figures) => figures.bytes_per_message.up + figures.bytes_per_message.down;

function checkPlausible(report) {
  const ways = Object.fromEntries(measured(report).map((way) => [way.way, way]));
  const { 'http-1.0': old, 'http-1.1': kept, 'http-2': h2, 'long-poll': poll, sse, websocket, 'websocket-deflated': deflated } = ways;

  assert.ok(total(old.talk) > total(kept.talk), 'a connection for each request costs more bytes than one for all');
  assert.ok(total(kept.talk) > total(h2.talk), 'heads that were sent before shrink');
  assert.ok(total(h2.talk) > total(websocket.talk), 'and are heads all the same');
  assert.ok(total(kept.talk) > total(sse.talk), 'two answers more than one and an event');
  assert.ok(total(sse.talk) > total(websocket.talk), 'and that more than WebSocket');
  assert.ok(total(websocket.talk) > total(deflated.talk), 'which deflates');
  for (const { talk, push } of [old]) {
    assert.equal(talk.requests, 2 * talk.messages, 'POST and GET');
    assert.equal(talk.connections, talk.requests);
    assert.equal(push.connections, push.requests);
  }
  for (const { way, talk, push } of [kept, h2, websocket, deflated])
    assert.deepEqual([way, talk.connections, push.connections], [way, 1, 1]);
  for (const { way, talk, push } of [poll, sse]) // beside what is heard goes what is said
    assert.deepEqual([way, talk.connections, push.connections], [way, 2, 1]);
  for (const { way, talk } of [kept, h2]) assert.deepEqual([way, talk.requests], [way, 2 * talk.messages]);
  assert.ok(h2.talk.opening_bytes.up > 24 && h2.talk.opening_bytes.down > 9, 'preface and SETTINGS');
  assert.deepEqual(kept.talk.opening_bytes, { up: 0, down: 0 });
  assert.equal(poll.talk.requests, 2 * poll.talk.messages + 1);
  assert.equal(sse.talk.requests, sse.talk.messages + 1);
  assert.deepEqual([sse.push.requests, websocket.talk.requests, websocket.push.requests], [1, 1, 1]);
  // 200 bytes behind a frame's head: 4 bytes from the server; 4 more to unmask it by from a client (RFC 6455 §5.2).
  assert.deepEqual(websocket.talk.bytes_per_message, { up: 208, down: 204 });
  assert.equal(websocket.push.bytes_per_message.up, 0);
  assert.ok(websocket.talk.opening_bytes.up > 100 && websocket.talk.opening_bytes.down > 100, 'the handshake');
  for (const { way, talk, push } of measured(report))
    for (const { messages, latency_ms } of [talk, push]) {
      assert.ok(messages >= 1, way);
      assert.ok(latency_ms.p50 > 0 && latency_ms.p50 <= latency_ms.p99 && latency_ms.p99 <= latency_ms.max, way);
    }
  assert.ok(old.push.latency_ms.p50 > 20, 'who asks every 100 ms waits for 50 in the middle');
}

// A figure of the table, by the place of its column.
function tableOf(text) {
  const blocks = text.split(/\n\n/).filter((block) => /^ +requests/.test(block));
  assert.equal(blocks.length, 2);
  return blocks.map((block) => Object.fromEntries(block.split('\n').slice(2).map((line) => {
    const name = line.slice(0, 19).trim();
    return [name, line.slice(19).trim().split(/ +/)];
  })));
}

test('duplex compare: rows, samples and the whole come as JSON, line by line; the order is plausible', limit, async () => {
  const { code, out, err } = await compare('--json-lines');
  assert.equal(code, 0, err);
  assert.equal(err, '', 'no progress where stderr is no terminal');
  const events = out.trim().split('\n').map((line) => JSON.parse(line));
  const { report } = events.at(-1);
  assert.equal(events.at(-1).event, 'done');
  assert.equal(report.server, null, 'one of its own');
  assert.deepEqual(events.filter(({ event }) => event === 'row').map(({ row }) => row), report.ways);
  checkPlausible(report);
  for (const { way, talk, push } of measured(report)) {
    assert.ok(talk.server_cpu_us_per_message > 0 && push.server_cpu_us_per_message > 0, way);
    for (const [phase, { messages, latency_ms }] of Object.entries({ talk, push })) {
      const mine = events.filter((event) => event.event === 'samples' && event.way === way && event.phase === phase);
      const samples = mine.flatMap((event) => event.latency_ms);
      assert.equal(samples.length, messages, `every sample of ${way}, ${phase}`);
      mine.reduce((from, event) => (assert.equal(event.from, from), from + event.latency_ms.length), 0);
      samples.sort((a, b) => a - b);
      assert.equal(latency_ms.p99, samples[Math.ceil(0.99 * samples.length) - 1]);
      assert.equal(latency_ms.p50, samples[Math.ceil(0.5 * samples.length) - 1]);
    }
  }
});

test('duplex compare URL: the plot says what the table says; no CPU of others', limit, async () => {
  const server = await serve();
  const plot = path.join(scratch, 'plot.svg');
  try {
    const { code, out, err } = await compare(server.url, '--svg', plot);
    assert.equal(code, 0, err);
    assert.match(out, /The server's CPU is left out/);
    assert.match(out, /10 requests are 10 connections/);
    assert.match(out, /When to take which/);
    const [talk, push] = tableOf(out);
    for (const table of [talk, push])
      for (const name of ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'long-poll', 'SSE', 'WebSocket', 'WebSocket, deflated'])
        assert.equal(table[name]?.length, 6, `${name}: ${table[name]}`);
    const svg = fs.readFileSync(plot, 'utf8');
    const found = spawnSync('python3', ['-c', 'import sys, xml.dom.minidom as x; print(x.parse(sys.argv[1]).documentElement.tagName)', plot]);
    assert.equal(found.stdout.toString(), 'svg\n', found.stderr.toString());
    const [, , up, down] = talk.WebSocket;
    assert.ok(svg.includes(`>${Number(up).toFixed(0)} + ${Number(down).toFixed(0)}</text>`), 'the plot has the bytes of WebSocket');
    assert.ok(svg.length < 20_000, `a small plot: ${svg.length} bytes`);
  } finally {
    await server.stop();
  }
});

test('duplex compare URL: a server without HTTP/2 has no row for it, and says why', limit, async () => {
  const server = await serve('--http2-streams', '0');
  try {
    const { code, out, err } = await compare('--json', server.url);
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out).ways.filter((way) => way.missing),
      [{ way: 'http-2', name: 'HTTP/2', missing: 'the server does not speak HTTP/2' }]);
  } finally {
    await server.stop();
  }
});

test('duplex compare --json: messages as large as asked for, below a prefix, without deflate where the server has none', limit, async () => {
  const server = await serve('--no-deflate');
  try {
    const { code, out, err } = await compare('--json', '--size', '1000', `${server.ws}/live/below`);
    assert.equal(code, 0, err);
    const report = JSON.parse(out);
    assert.equal(report.server, `${server.ws}/live/below/`);
    assert.equal(report.message_bytes, 1000);
    const websocket = report.ways.find(({ way }) => way === 'websocket');
    assert.deepEqual(websocket.talk.bytes_per_message, { up: 1008, down: 1004 });
    assert.equal(websocket.talk.server_cpu_us_per_message, null);
    const deflated = report.ways.find(({ way }) => way === 'websocket-deflated');
    assert.deepEqual(deflated, { way: 'websocket-deflated', name: 'WebSocket, deflated', missing: 'the server does not deflate' });
  } finally {
    await server.stop();
  }
});

// ---- when it fails --------------------------------------------------------------------------------

function assertFailed({ code, out, err }, expected, about) {
  assert.equal(code, expected, err);
  assert.equal(out, '', 'nothing on stdout');
  assert.match(err, about);
}

test('duplex compare: what cannot be is told before anything is measured', limit, async () => {
  assertFailed(await compare('ftp://127.0.0.1/'), usage, /^duplex compare: ftp:.*\n$/);
  assertFailed(await compare('http://127.0.0.1/live/?x=1'), usage, /without a query/);
  assertFailed(await compare('http://127.0.0.1/live/#x'), usage, /without a query/);
  assertFailed(await compare('--json', '--json-lines'), usage, /leave out one/);
  assertFailed(await compare('--size', '63'), usage, /--size/);
  assertFailed(await compare('a', 'b'), usage, /one argument too many/);
});

test('duplex compare: nobody there, or somebody who knows no streams', limit, async () => {
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  closed.close();
  await once(closed, 'close');
  assertFailed(await compare(`http://127.0.0.1:${port}`), failure, /^duplex compare: HTTP\/1\.1: .*refused.*\n$/i);
  const other = http.createServer((_, response) => response.writeHead(405).end()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  try {
    assertFailed(await compare(`http://127.0.0.1:${other.address().port}`), failure, /405 Method Not Allowed/);
  } finally {
    other.closeAllConnections();
    other.close();
  }
});

test('duplex compare: a plot that cannot be written is known before anything is measured', limit, async () => {
  assertFailed(await compare('--json-lines', '--svg', path.join(scratch, 'no', 'plot.svg')), failure,
    /cannot write .*plot\.svg: No such file or directory/);
});

test('duplex compare: a server of its own ends with it, however it ends', limit, async () => {
  const program = new Program(duplex, ['compare', '--json-lines']);
  await program.lines.take();
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(program.child.pid)]).toString().trim().split(/\s+/);
  assert.equal(children.length, 1, 'one server');
  program.kill('SIGKILL');
  await program.ended;
  const isThere = () => fs.existsSync(`/proc/${children[0]}`) && !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${children[0]}/status`, 'utf8'));
  for (let tries = 0; isThere(); tries++) {
    assert.ok(tries < 1000, 'the server is gone');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

test('duplex compare: who reads its lines no more need not wait for the end', limit, async () => {
  const program = new Program(duplex, ['compare', '--json-lines']);
  await program.lines.take();
  program.child.stdout.destroy();
  assert.equal(await program.exit(long_ms), failure);
  assert.match(program.err, /nobody wants to know it any more/);
});

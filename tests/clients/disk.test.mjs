// A disk that is full, and gets room again: what publishers, readers, health checks and the log are told.
// Is:     a server on a small tmpfs (as root), and on a disk where files may not grow (RLIMIT_FSIZE).
// Is not: a medium that fails or loses power (src/store/test_faults.c, test_power.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { history, patience_ms, request, serve } from './helper.mjs';

const limit = { timeout: 120_000 };

function directory(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-disk-'));
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

const put = (url) => request(url, { method: 'PUT', headers: { 'Content-Type': 'text/plain' } });

const publish = (url, body) => request(url, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body });

const ready = async (server) => {
  const answer = await request(`${server.url}/readyz`);
  assert.equal(answer.headers['cache-control'], 'no-store');
  if (answer.status === 503) {
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.ok(Number(answer.headers['retry-after']) >= 1);
  }
  return { ...JSON.parse(answer.body), status: answer.status };
};

async function becomes(status, server) {
  const until = Date.now() + patience_ms;
  for (;;) {
    const answer = await ready(server);
    if (answer.status === status) return answer;
    assert.ok(Date.now() < until, `/readyz answers ${JSON.stringify(answer)}, not ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Publishes until it is refused; what was acknowledged.
async function fill(url, size) {
  const kept = [];
  for (let n = 0; n < 2000; n++) {
    const body = `${n} `.padEnd(size, 'x');
    const answer = await publish(url, body);
    if (answer.status !== 204) return { kept, refused: answer };
    assert.equal(answer.headers['stream-durability'], 'disk');
    kept.push(body);
  }
  throw new Error('it never got full');
}

async function wholeHistory(url) {
  let text = '';
  for (let offset = '-1'; ;) {
    const answer = await request(`${url}?offset=${offset}`);
    assert.equal(answer.status, 200);
    text += answer.body;
    offset = answer.headers['stream-next-offset'];
    if (answer.headers['stream-up-to-date']) return text;
  }
}

// The disk of `server` gets full, and then `makeRoom` gives it room again.
async function getFullAndWell(server, makeRoom) {
  const url = `${server.url}/s/full`;
  assert.equal((await ready(server)).status, 200);
  assert.equal((await put(url)).status, 201);
  const { kept, refused } = await fill(url, 60_000);
  assert.ok(kept.length > 0, 'some were kept');
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  assert.equal(refused.headers['content-type'], 'application/problem+json');
  assert.match(JSON.parse(refused.body).detail, /disk is full/);
  assert.equal(refused.headers['stream-next-offset'], undefined, 'no acknowledgement');

  // Readiness says it, the process lives, the log has it, and what is not on disk goes on.
  const red = await becomes(503, server);
  assert.match(red.detail, /the disk is full/);
  assert.equal((await request(`${server.url}/healthz`)).status, 200);
  await server.says(/nothing can be kept on disk: the disk is full/);
  assert.equal((await publish(`${server.url}/live/on`, 'goes on')).status, 204);
  assert.equal((await history(`${server.url}/live/on`)).body, 'goes on');
  assert.equal(await wholeHistory(url), kept.join(''), 'what was acknowledged is there, and nothing else');

  await makeRoom();
  assert.equal((await becomes(200, server)).status, 200);
  await server.says(/streams are kept on disk again/);
  assert.equal((await publish(url, 'again')).status, 204);
  assert.equal(await wholeHistory(url), kept.join('') + 'again');
  return kept.join('') + 'again';
}

test('a full file system: refused with 503, memory goes on, well again when there is room', limit, async (t) => {
  const data = directory(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'duplex-test', data], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`no tmpfs can be mounted here: ${error.stderr ?? error}`);
    return;
  }
  const ballast = path.join(data, 'ballast');
  try {
    fs.writeFileSync(ballast, Buffer.alloc(4 << 20));
    let server = await serve('--no-memory', '--data', data);
    const text = await getFullAndWell(server, () => fs.unlinkSync(ballast));
    server.kill('SIGKILL');
    await server.exit();
    server = await serve('--no-memory', '--data', data);
    assert.equal(await wholeHistory(`${server.url}/s/full`), text);
    await server.stop();
  } finally {
    execFileSync('umount', ['--lazy', data]);
  }
});

test('files that may not grow (a limit, a quota) are a full disk', limit, async (t) => {
  const server = await serve('--no-memory', '--data', directory(t));
  const setLimit = (bytes) => execFileSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:`]);
  try {
    setLimit(4 << 20);
  } catch (error) {
    await server.stop();
    t.skip(`no limit can be set here: ${error}`);
    return;
  }
  await getFullAndWell(server, () => setLimit('unlimited'));
  await server.stop();
});

test('a server that drains is not ready', limit, async () => {
  const server = await serve();
  assert.equal((await ready(server)).status, 200);
  const socket = net.connect(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => (answer += data));
  const ended = new Promise((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => socket.write('GET /readyz HTTP/1.1\r\nHos', resolve));
  await request(`${server.url}/healthz`); // the server has had a turn
  await new Promise((resolve) => setTimeout(resolve, 50));
  server.kill('SIGTERM');
  await server.says(/draining/);
  socket.write('t: a\r\n\r\n');
  await ended;
  assert.match(answer, /^HTTP\/1\.1 503 .*going away/s);
  assert.equal(await server.exit(), 0);
});

// A crowd: 10,000 subscribers of one stream on two workers, and 10,000 members of one room.
// Is:     everyone gets each message once and in order; presence tells of all, in digests and not in a storm; who
//         comes back after the server was killed gets what was missed, which is read from the disk once for all.
// Is not: speed (bench/).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { post, request, serve, within } from './helper.mjs';

// As many as descriptors allow, up to 10,000 (Node.js raises its limit to what is allowed).
const files = Number(readFileSync('/proc/self/limits', 'utf8').match(/Max open files\s+(\d+)/)?.[1] ?? 20_000);
const crowd = Math.min(10_000, files - 1000);
const messages = 20;
const limit = { timeout: 240_000 };

// A WebSocket in as few bytes as will do: after the handshake it calls onFrame(text) for each text frame of
// the server (whose frames have no mask), and answers nothing.
function subscribe(server, target, onFrame, protocol) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, '127.0.0.1');
    let rest = Buffer.alloc(0);
    let isOpen = false;
    socket.write(`GET ${target} HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      (protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : '') +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.on('data', (data) => {
      rest = rest.length ? Buffer.concat([rest, data]) : data;
      if (!isOpen) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!rest.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) return reject(new Error(rest.toString()));
        rest = rest.subarray(end + 4);
        isOpen = true;
        resolve(socket);
      }
      while (rest.length >= 2) {
        const short = rest[1];
        const head = short < 126 ? 2 : 4;
        assert.notEqual(short, 127);
        if (rest.length < head) return;
        const size = short < 126 ? short : rest.readUInt16BE(2);
        if (rest.length < head + size) return;
        if ((rest[0] & 15) === 1) onFrame(rest.toString('utf8', head, head + size));
        rest = rest.subarray(head + size);
      }
    });
  });
}

// `count` of them, some hundreds at a time.
async function gather(count, one) {
  const all = [];
  for (let first = 0; first < count; first += 500) {
    const some = Array.from({ length: Math.min(500, count - first) }, (_, i) => one(first + i));
    all.push(...(await within(Promise.all(some), `subscribers ${first} and on`, 30_000)));
  }
  return all;
}

test(`${crowd} subscribers of one stream on two workers get each message once`, limit, async () => {
  const server = await serve('--workers', '2');
  const next = new Uint16Array(crowd);
  let left = crowd * messages;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const sockets = await gather(crowd, (index) =>
    subscribe(server, '/live/crowd', (text) => {
      assert.equal(text, `message ${next[index]++}`, `subscriber ${index}`);
      if (--left === 0) done();
    }));
  for (let n = 0; n < messages; n++) {
    const { status, headers } = await request(`${server.url}/live/crowd`,
      { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: `message ${n}` });
    assert.equal(status, 204);
    assert.equal(headers['stream-subscribers'], String(crowd));
  }
  await within(all, `all to arrive; ${left} are missing`, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(next.every((count) => count === messages), 'nobody got one twice');
  sockets.forEach((socket) => socket.destroy());
  await server.stop();
});

test(`${crowd} subscribers come back at once after the server was killed: history is read once`, limit, async (t) => {
  const data = mkdtempSync(path.join(os.tmpdir(), 'duplex-crowd-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  let server = await serve('--workers', '2', '--no-memory', '--data', data);
  const count = 200;
  const cursors = [];
  const headers = { 'Content-Type': 'text/plain' };
  const publish = async (text) => {
    const answer = await request(`${server.url}/s/crowd`, { method: 'POST', headers, body: text });
    assert.equal(answer.status, 204);
    return answer.headers['stream-next-offset'];
  };
  assert.equal((await request(`${server.url}/s/crowd`, { method: 'PUT', headers })).status, 201);
  for (let n = 0; n < count; n++) cursors.push(await publish(`message ${n}`));
  server.kill('SIGKILL');
  await server.exit();

  // Their cursors are near each other: the last 50 of the first 100.
  server = await serve('--workers', '2', '--no-memory', '--data', data);
  const next = Uint16Array.from({ length: crowd }, (_, index) => 51 + (index * 7) % 50);
  let left = next.reduce((sum, first) => sum + count + 1 - first, 0);
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const sockets = await gather(crowd, (index) =>
    subscribe(server, `/s/crowd?offset=${cursors[next[index] - 1]}`, (text) => {
      assert.equal(text, `message ${next[index]++}`, `subscriber ${index}`);
      if (--left === 0) done();
    }));
  await publish(`message ${count}`);
  await within(all, `all to arrive; ${left} are missing`, 60_000);
  sockets.forEach((socket) => socket.destroy());
  server.kill();
  assert.equal(await server.exit(), 0);
  const [, loads, reads] = server.err.match(/store: .* (\d+) loads, (\d+) reads/).map(Number);
  assert.ok(loads <= 4, `${loads} loads`);
  assert.ok(reads >= 1 && reads <= 50, `${reads} reads`);
  t.diagnostic(`${loads} loads and ${reads} reads for ${crowd} subscribers`);
});

test(`${crowd} members of one room: all are counted, told of in digests, and gone when they leave`, limit, async () => {
  const server = await serve('--workers', '2');
  const url = `${server.url}/live/room`;
  await post(url, 'text/plain', 'hello');
  let digests = 0;
  let joined = 0;
  let count = 0;
  const watcher = await subscribe(server, '/live/room?presence&member=watcher', (text) => {
    if (!text.startsWith('\n')) return;
    const control = JSON.parse(text);
    if (!control.join && !control.leave) return;
    digests++;
    joined += (control.join?.length ?? 0) + (control.more ?? 0);
    ({ count } = control);
  }, 'duplex.v1');
  const began = Date.now();
  const sockets = await gather(crowd, (index) =>
    subscribe(server, `/live/room?member=m${index}&presence=${encodeURIComponent(`{"n":${index}}`)}`, () => {}, 'duplex.v1'));
  const until = Date.now() + 20_000;
  while (count < crowd + 1 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
  const windows = (Date.now() - began) / 100;
  assert.equal(count, crowd + 1);
  assert.ok(digests <= windows + 2, `${digests} digests in ${windows} windows of 100 ms`);
  assert.ok(joined >= crowd, `told of ${joined}`);

  // The list by pages.
  const seen = new Set();
  for (let after = ''; after !== undefined; ) {
    const { body } = await request(`${url}?presence&limit=1000${after && `&after=${after}`}`);
    const page = JSON.parse(body);
    assert.ok(page.members.length <= 1000);
    assert.equal(page.count, crowd + 1);
    page.members.forEach(({ id }) => seen.add(id));
    after = page.next;
  }
  assert.equal(seen.size, crowd + 1);

  sockets.forEach((socket) => socket.destroy());
  const gone = Date.now() + 20_000;
  while (count > 1 && Date.now() < gone) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(count, 1);
  watcher.destroy();
  await server.stop();
});

// Chromium's own EventSource and WebSocket come back: after the server was killed and started again, and
// after the network was cut. Nothing is missed of what is retained, and what is not is told as a gap.
// Is:     a page with ten lines of reconnecting, a server killed with SIGKILL, a link set down.
// Is not: the details of resuming (src/serve/test_door_*.c), the client library's reconnecting.
// The network is a pair of virtual Ethernet devices to a namespace where the server runs: it needs root and
// iproute2, and is skipped without.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

import { duplex, Inbox, post, request, Server } from './helper.mjs';

const limit = { timeout: 180_000 };
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let browser;
let directory;

before(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
  directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-resume-'));
}, limit);
after(async () => {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

// What runs in the page: both ways of listening, each with its cursor. The WebSocket asks for a sign of life,
// because a cut link says nothing.
function pageScript(url) {
  const events = new EventSource(`${url}?offset=-1`);
  events.onmessage = ({ data, lastEventId }) => window.tell('sse', { n: JSON.parse(data).n, offset: lastEventId });
  events.addEventListener('gap', ({ data }) => window.tell('sse', { gap: JSON.parse(data) }));
  let cursor = '-1';
  const connect = () => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}?write=0&offset=${cursor}`, ['duplex.v1']);
    let heard = Date.now();
    const alive = setInterval(() => {
      if (Date.now() - heard > 5000) return socket.close(), gone();
      if (socket.readyState === WebSocket.OPEN) socket.send('\n{"ping":1}');
    }, 1000);
    const gone = () => (clearInterval(alive), (socket.onmessage = socket.onclose = null), setTimeout(connect, 300));
    socket.onclose = gone;
    socket.onmessage = ({ data }) => {
      heard = Date.now();
      if (data.startsWith('\n')) {
        const control = JSON.parse(data);
        if (control.gap) window.tell('ws', { gap: control.gap });
        return;
      }
      const end = data.indexOf('\n');
      cursor = data.slice(0, end);
      window.tell('ws', { n: JSON.parse(data.slice(end + 1)).n, offset: cursor });
    };
  };
  connect();
}

async function openPage(origin, stream) {
  const page = await browser.newPage();
  const inboxes = { sse: new Inbox(), ws: new Inbox() };
  await page.exposeFunction('tell', (which, event) => inboxes[which].push(event));
  await page.goto(`${origin}/healthz`);
  await page.evaluate(pageScript, `${origin}${stream}`);
  return { ...inboxes, close: () => page.close() };
}

async function expectNumbers(inbox, first, last, what, ms) {
  for (let n = first; n <= last; n++) {
    const event = await inbox.take(ms);
    assert.equal(event.n, n, `${what}: ${JSON.stringify(event)} where ${n} was due`);
  }
}

async function publish(url, first, last) {
  for (let n = first; n <= last; n++) await post(url, 'application/json', JSON.stringify({ n }));
}

test('Chromium goes on where it was when the server was killed and started again', limit, async () => {
  const data = path.join(directory, 'data');
  let server = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--no-memory', '--data', data]);
  const url = `${server.url}/s/resume`;
  const created = await request(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' } });
  assert.equal(created.status, 201);
  await publish(url, 1, 20);
  const page = await openPage(server.url, '/s/resume');
  for (const which of ['sse', 'ws']) await expectNumbers(page[which], 1, 20, which);

  for (let life = 1; life <= 2; life++) {
    await publish(url, 20 * life + 1, 20 * life + 10);
    server.kill('SIGKILL');
    await server.ended;
    server = await Server.start(duplex, ['serve', '--listen', `127.0.0.1:${server.port}`, '--no-memory', '--data', data]);
    await publish(url, 20 * life + 11, 20 * life + 20);
    for (const which of ['sse', 'ws'])
      await expectNumbers(page[which], 20 * life + 1, 20 * life + 20, `${which}, life ${life}`, 30_000);
  }
  const { body } = await request(`${url}?offset=-1`);
  assert.deepEqual(JSON.parse(body).map(({ n }) => n), Array.from({ length: 60 }, (_, i) => i + 1));
  await page.close();
  await server.stop();
});

// ---- a network that can be cut -----------------------------------------------------------------------

const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' }).toString();

// A namespace with one link to here; throws where that is not allowed.
function makeNetwork() {
  const name = `duplex${process.pid % 10000}`;
  const block = `10.213.${process.pid % 250}`;
  ip('netns', 'add', name);
  try {
    ip('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`);
    ip('link', 'set', `${name}b`, 'netns', name);
    ip('addr', 'add', `${block}.1/24`, 'dev', `${name}a`);
    ip('netns', 'exec', name, 'ip', 'addr', 'add', `${block}.2/24`, 'dev', `${name}b`);
    ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
    ip('netns', 'exec', name, 'ip', 'link', 'set', `${name}b`, 'up');
    ip('link', 'set', `${name}a`, 'up');
  } catch (error) {
    ip('netns', 'del', name);
    throw error;
  }
  return {
    name,
    address: `${block}.2`,
    cut: () => ip('netns', 'exec', name, 'ip', 'link', 'set', `${name}b`, 'down'),
    mend: () => ip('netns', 'exec', name, 'ip', 'link', 'set', `${name}b`, 'up'),
    inside: (command, ...args) => execFileSync('ip', ['netns', 'exec', name, command, ...args], { stdio: 'pipe' }),
    remove: () => ip('netns', 'del', name),
  };
}

test('Chromium goes on when the network was cut, and is told of the gap beyond what is kept', limit, async (t) => {
  let network;
  try {
    network = makeNetwork();
  } catch (error) {
    return t.skip(`no network namespace can be made here: ${String(error.stderr ?? error.message).trim()}`);
  }
  try {
    const config = path.join(directory, 'short.yaml');
    await writeFile(config, 'namespaces:\n  - {prefix: /live/, creation: use, durability: memory}\n' +
      '  - {prefix: /short/, creation: use, durability: memory, kept: {count: 10}, access: {default: anyone}}\n');
    const server = await Server.start('ip', ['netns', 'exec', network.name, duplex, 'serve', '--config', config,
      '--access-anonymous-write', '--listen', `${network.address}:0`, '--listen', '127.0.0.1:9999']);
    const publishInside = (stream, first, last, pad = '') => {
      for (let n = first; n <= last; n++) // its address goes down with the link: by loopback
        network.inside('curl', '-sS', '--fail-with-body', '--noproxy', '*', '-H', 'Content-Type: application/json', '-d', JSON.stringify({ n, pad }),
          `http://127.0.0.1:9999${stream}`);
    };
    publishInside('/live/cut', 1, 5);
    publishInside('/short/cut', 1, 5);
    const whole = await openPage(server.url, '/live/cut');
    const short = await openPage(server.url, '/short/cut');
    for (const page of [whole, short])
      for (const which of ['sse', 'ws']) await expectNumbers(page[which], 1, 5, which);

    network.cut();
    publishInside('/live/cut', 6, 60);
    publishInside('/short/cut', 6, 60, 'x'.repeat(50_000)); // more than the kernel holds for one who takes nothing
    await new Promise((resolve) => setTimeout(resolve, 14_000)); // longer than a stalled send is suffered
    network.mend();
    publishInside('/live/cut', 61, 62);
    publishInside('/short/cut', 61, 62);

    for (const which of ['sse', 'ws']) await expectNumbers(whole[which], 6, 62, `${which}, all kept`, 90_000);
    for (const which of ['sse', 'ws']) {
      // What the kernel held may come first; then the gap; then what is kept.
      let next = 6;
      let event;
      while ((event = await short[which].take(90_000)).n !== undefined) assert.equal(event.n, next++, which);
      assert.ok(event.gap.lost > 0 && next + event.gap.lost <= 53, `${which}: ${JSON.stringify(event)}; 53 to 62 are kept`);
      await expectNumbers(short[which], next + event.gap.lost, 62, `${which}, behind the gap`, 90_000);
    }
    await whole.close();
    await short.close();
    await server.stop();
  } finally {
    network.remove();
  }
});

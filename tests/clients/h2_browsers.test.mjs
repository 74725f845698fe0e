// Browsers over TLS and HTTP/2: wss, and the WebSockets of a page as streams of its one connection, which the log of
// the server shows. Over TLS without HTTP/2 each has a connection.
// A browser that is not there is skipped.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { freshPath, patience_ms, serve, within } from './helper.mjs';

const limit = { timeout: 180_000 };
const state = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-h2-browsers-'));
process.env.XDG_STATE_HOME = state;
after(() => fs.rmSync(state, { recursive: true }));

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'];
const browsers = {
  Chromium: {
    executablePath: '/usr/bin/chromium',
    launch: (executablePath) => chromium.launch({ executablePath, headless: true, args: flags }),
    page: async (browser) => (await browser.newContext({ ignoreHTTPSErrors: true })).newPage(),
  },
  Firefox: {
    executablePath: '/usr/bin/firefox-esr',
    launch: (executablePath) => puppeteer.launch({ browser: 'firefox', executablePath, headless: true, acceptInsecureCerts: true }),
    page: (browser) => browser.newPage(),
  },
};

// Runs in the page: five WebSockets; what one sends all others hear; all are closed.
async function talk(address) {
  const sockets = Array.from({ length: 5 }, () => new WebSocket(`${address.replace('https', 'wss')}?echo=0`));
  await Promise.all(sockets.map((socket) => new Promise((resolve, reject) =>
    ((socket.onopen = resolve), (socket.onerror = () => reject(new Error('a WebSocket failed')))))));
  const heard = sockets.slice(1).map((socket) => new Promise((resolve) => (socket.onmessage = (e) => resolve(e.data))));
  sockets[0].send('to all the others');
  const answers = await Promise.all(heard);
  const posted = await fetch(address, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'posted' });
  const closed = sockets.map((socket) => new Promise((resolve) => (socket.onclose = (e) => resolve(e.code))));
  sockets.forEach((socket) => socket.close(1000));
  return { answers, posted: posted.ok, codes: await Promise.all(closed),
    protocol: performance.getEntriesByType('navigation')[0].nextHopProtocol };
}

async function visit(kind, browser, server, name) {
  const page = await kind.page(browser);
  await page.goto(`${server.url}/healthz`);
  const got = await within(page.evaluate(talk, server.url + name), 'the page', patience_ms * 3);
  const { protocol, ...rest } = got;
  assert.deepEqual(rest, { answers: Array(4).fill('to all the others'), posted: true, codes: Array(5).fill(1000) });
  return protocol;
}

for (const [name, kind] of Object.entries(browsers)) {
  const skip = fs.existsSync(kind.executablePath) ? false : `there is no ${kind.executablePath}`;

  describe(name, { skip }, () => {
    let browser;
    before(async () => { browser = await kind.launch(kind.executablePath); }, limit);
    after(() => browser?.close());

    test(`${name}: the WebSockets of a page are streams of its one connection, by the log of the server`, limit, async () => {
      const server = await serve('--tls', 'dev', '--log-level', 'debug');
      const stream = freshPath(name);
      assert.equal(await visit(kind, browser, server, stream), 'h2');
      const log = server.err;
      const lines = [...log.matchAll(/HTTP\/2 connection (\S+), stream (\d+): (CONNECT websocket|POST) (\S+)/g)]
        .filter((line) => line[4].startsWith(stream));
      assert.deepEqual(lines.map((line) => line[3]).sort(), [...Array(5).fill('CONNECT websocket'), 'POST']);
      assert.equal(new Set(lines.map((line) => line[1])).size, 1, 'one connection');
      assert.equal(new Set(lines.map((line) => line[2])).size, 6, 'six streams');
      await server.stop();
    });

    test(`${name}: without HTTP/2 wss has a connection for each`, limit, async () => {
      const server = await serve('--tls', 'dev', '--http2-streams', '0', '--log-level', 'debug');
      assert.equal(await visit(kind, browser, server, freshPath(name)), 'http/1.1');
      assert.doesNotMatch(server.err, /HTTP\/2 connection/);
      await server.stop();
    });
  });
}

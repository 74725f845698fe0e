// The pages in Chromium: how they are served, the start page, the ticker, the game, and what holds for all of them.
// Is:     the policy, sizes, contrast, layout; charts that join history and live; two humans in one arena.
// Is not: the chat (web_chat.test.mjs).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { duplex, post, request, Server, serve } from './helper.mjs';
import { faint, visit } from './pages.mjs';

const limit = { timeout: 120_000 };
const pages = ['/', '/chat/', '/ticker/', '/game/', '/compare/'];
let server;
let directory;

before(async () => {
  server = await serve('--demo');
  server.kept = true; // until the hook below stops it
  directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-web-'));
}, limit);
after(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const get = (url, headers = {}) => request(url, { headers });

// ---- how they are served ------------------------------------------------------------------------------

test('pages come gzipped, with a strict policy, and are not sent again while they are the same', limit, async () => {
  for (const path of pages) {
    const plain = await get(server.url + path);
    assert.equal(plain.status, 200);
    assert.equal(plain.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(plain.headers['x-content-type-options'], 'nosniff');
    assert.match(plain.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(plain.headers['content-security-policy'], /unsafe|\*/);
    const small = await get(server.url + path, { 'Accept-Encoding': 'gzip' });
    assert.equal(small.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(small.body), plain.body);
    assert.notEqual(small.headers.etag, plain.headers.etag);
    const again = await get(server.url + path, { 'If-None-Match': plain.headers.etag });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  }
  assert.equal((await get(`${server.url}/lib/duplex.js`, { Range: 'bytes=0-9' })).status, 206);
  assert.equal((await get(`${server.url}/chat`)).headers.location, 'chat/');
});

test('what is not a page is not there, for any method; a page takes no POST', limit, async () => {
  assert.equal((await get(`${server.url}/nowhere`)).status, 404);
  assert.equal((await request(`${server.url}/nowhere`, { method: 'POST', body: 'hello' })).status, 404);
  assert.equal((await request(`${server.url}/chat/`, { method: 'POST', body: 'hello' })).status, 405);
});

test('--no-web serves no pages; --web DIR other ones, and the libraries', limit, async () => {
  const none = await serve('--no-web');
  for (const path of [...pages, '/lib/duplex.js', '/style.css']) assert.equal((await get(none.url + path)).status, 404);
  await none.stop();
  await mkdir(`${directory}/www/own`, { recursive: true });
  await writeFile(`${directory}/www/index.html`, 'my own');
  const own = await serve('--web', `${directory}/www`);
  assert.equal((await get(own.url)).body.toString(), 'my own');
  assert.equal((await get(`${own.url}/chat/`)).status, 404);
  assert.match((await get(`${own.url}/lib/duplex.js`)).body.toString(), /class DuplexError/);
  await own.stop();
});

test('streams go before pages', limit, async () => {
  const config = `${directory}/streams.yaml`;
  await writeFile(config, 'namespaces:\n  - {prefix: /chat/, creation: use, access: {default: anyone}}\n  - {prefix: /game/, creation: use, access: {default: anyone}}\n');
  const other = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--config', config]);
  await post(`${other.url}/chat/chat.js`, 'text/plain', 'a message');
  assert.equal((await get(`${other.url}/chat/chat.js`)).body.toString(), 'a message');
  assert.equal((await get(`${other.url}/ticker/`)).status, 200);
  await other.stop();
  await writeFile(config, 'namespaces:\n  - {prefix: /, creation: use, access: {default: anyone}}\n');
  const all = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--config', config]);
  await post(`${all.url}/style.css`, 'text/plain', 'a message');
  assert.equal((await get(`${all.url}/style.css`)).body.toString(), 'a message');
  await all.stop();
});

// ---- what holds for all ---------------------------------------------------------------------------------

for (const path of pages) {
  test(`${path}: light and dark texts have the contrast of AA, nothing moves when data arrives`, limit, async () => {
    for (const colorScheme of ['light', 'dark']) {
      const visitor = await visit(server.url + path, { colorScheme });
      await visitor.says('#state', /^Live/);
      await visitor.page.waitForTimeout(1500); // data comes
      const { count, found } = await visitor.page.evaluate(faint);
      assert.ok(count > 10);
      assert.deepEqual(found, []);
      await visitor.leave();
    }
  });

  test(`${path}: fits a phone, and begins with a way past the bar`, limit, async () => {
    const visitor = await visit(server.url + path, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
    await visitor.says('#state', /^Live/);
    assert.equal(await visitor.page.evaluate('document.documentElement.scrollWidth'), 360);
    const small = await visitor.page.evaluate(() => [...document.querySelectorAll('button, input, nav a')]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 24).map((element) => element.outerHTML));
    assert.deepEqual(small, [], 'large enough for a finger');
    await visitor.page.keyboard.press('Tab');
    assert.equal(await visitor.page.evaluate('document.activeElement.className'), 'skip');
    const nameless = await visitor.page.evaluate(() => [...document.querySelectorAll('input, button, a, canvas')]
      .filter((element) => element.checkVisibility() && !element.closest('[role=img]') && !(element.labels?.length || element.textContent.trim() || element.getAttribute('aria-label'))).map((element) => element.outerHTML));
    assert.deepEqual(nameless, [], 'each has a name for a screen reader');
    await visitor.leave();
  });
}

test('the start page and the chat are below 100 KB, all that they load included', limit, async () => {
  for (const path of ['/', '/chat/']) {
    const visitor = await visit(server.url + path);
    await visitor.says('#state', /^Live/);
    const loaded = await visitor.page.evaluate(() => ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))
      .filter(({ initiatorType }) => initiatorType !== 'fetch').map(({ name, transferSize }) => [new URL(name).pathname, transferSize]));
    const sum = loaded.reduce((bytes, [, size]) => bytes + size, 0);
    assert.ok(loaded.length >= 4 && sum > 5000 && sum < 100_000, `${sum} bytes: ${loaded}`);
    await visitor.leave();
  }
});

test('a server without the demos is told of in words', limit, async () => {
  const bare = await serve();
  const excused = /404|demo\/game/;
  for (const path of ['/ticker/', '/game/']) {
    const visitor = await visit(bare.url + path, { excused });
    await visitor.says('#state', /duplex serve --demo/);
    await visitor.leave();
  }
  await bare.stop();
});

// ---- the start page ---------------------------------------------------------------------------------------

test('the start page shows the server live, and a stream to play with', limit, async () => {
  const visitor = await visit(server.url, { permissions: ['clipboard-read', 'clipboard-write'] });
  for (const id of ['connections', 'published', 'delivered']) await visitor.says(`#${id}`, /^\d/);
  for (const id of ['out', 'memory']) await visitor.says(`#${id}`, /^[\d.]+ [KM]?B$/);
  await visitor.page.click('[data-copy="#publish"]');
  const copied = await visitor.page.evaluate('navigator.clipboard.readText()');
  assert.equal(copied, `curl -d 'hello' -H 'Content-Type: text/plain' ${server.url}/live/hello`);
  await post(`${server.url}/live/hello`, 'text/plain', 'from a shell');
  await visitor.says('#heard', /from a shell/);
  await visitor.page.fill('#words', '<img src=x onerror=alert(1)>');
  await visitor.page.press('#words', 'Enter');
  await visitor.says('#heard', /<img src=x onerror=alert\(1\)>/);
  assert.equal(await visitor.page.locator('#heard img').count(), 0);
  await visitor.leave();
});

// ---- the ticker ---------------------------------------------------------------------------------------------

test('the ticker joins history and live without a gap, at any rate', limit, async () => {
  const visitor = await visit(`${server.url}/ticker/`);
  const { page } = visitor;
  await visitor.says('#state', /^Live/);
  assert.equal(await page.locator('#board tr').count(), 30);
  await visitor.says('#join', /^\d+ changes by HTTP, then [1-9]\d* by WebSocket: none missing, none doubled\.$/);
  await page.focus('#rate');
  await page.keyboard.press('End');
  await visitor.says('#rate-now', /^200$/);
  await visitor.becomes('thousands of changes a second', () => parseFloat(document.querySelector('#updates').textContent) > 1000);
  for (const name of ['WREN', 'LUNA', 'COBL']) {
    await page.click(`#board button:has-text("${name}")`);
    await visitor.says('#chart-title', new RegExp(name));
    await visitor.says('#join', /^[1-9]\d+ changes by HTTP, then [1-9]\d+ by WebSocket: none missing, none doubled\.$/);
  }
  await visitor.says('#latency', /^[\d.]+ ms$/);
  assert.match(await visitor.text('#book'), /\d+/);
  assert.ok(await page.locator('#chart canvas').count() > 0);
  await page.keyboard.press('Tab');
  await page.focus('#rate');
  await page.keyboard.press('Home');
  await visitor.says('#rate-now', /^1$/);
  await visitor.leave();
});

test('the rate of the feed is only for pages of this server, and has bounds', limit, async () => {
  const change = (rate, headers = {}) => request(`${server.url}/demo/ticker?rate=${rate}`, { method: 'POST', headers });
  assert.equal((await change(10, { 'Sec-Fetch-Site': 'cross-site' })).status, 403);
  for (const rate of ['0', '201', '-1', '1.5', 'x', '', '99999999999']) assert.equal((await change(rate)).status, 400, rate);
  assert.equal(JSON.parse((await change(10)).body).rate, 10);
  assert.equal((await request(`${server.url}/live/ticker/AMBR`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status, 403);
});

// ---- the game -------------------------------------------------------------------------------------------------

const place = (id) => document.game.world.snapshots.at(-1)?.players.get(id);
const self = () => document.game.world.id;

test('two humans are in one arena, and see each other move', limit, async () => {
  const [ada, bob] = [await visit(`${server.url}/game/`), await visit(`${server.url}/game/`)];
  for (const [player, name] of [[ada, 'Ada'], [bob, 'Bob']]) {
    await player.says('#state', /^Live/);
    await player.page.fill('#name', name);
    await player.page.press('#name', 'Enter');
  }
  const ids = [await ada.page.evaluate(self), await bob.page.evaluate(self)];
  assert.notEqual(ids[0], ids[1]);
  for (const [mover, other, id, name] of [[ada, bob, ids[0], 'Ada'], [bob, ada, ids[1], 'Bob']]) {
    await other.becomes(`${name} is known by name`, ([i, n]) => document.game.world.names.get(i) === n, [id, name]);
    await other.becomes(`${name} is there`, (i) => document.game.world.snapshots.at(-1)?.players.get(i)?.isHuman, id);
    const before = await other.page.evaluate(place, id);
    const key = before.x < 800 ? 'ArrowRight' : 'ArrowLeft';
    await mover.page.focus('#canvas');
    await mover.page.keyboard.down(key);
    await other.becomes(`${name} moves far enough`, ([i, x, sign]) =>
      (document.game.world.snapshots.at(-1).players.get(i).x - x) * sign > 60, [id, before.x, key === 'ArrowRight' ? 1 : -1]);
    await mover.page.keyboard.up(key);
  }
  await ada.says('#players', /^2 \+ 48 bots$/);
  for (const id of ['ping', 'tick']) await ada.says(`#${id}`, /^[\d.]+ ms$/);
  await bob.leave();
  await ada.says('#players', /^1 \+ 49 bots$/);
  await ada.becomes('the place is a bot again', (id) => /^bot/.test(document.game.world.names.get(id)), ids[1]);
  await ada.leave();
});

test('a pointer moves, too; what is between two ticks is interpolated', limit, async () => {
  const player = await visit(`${server.url}/game/`);
  await player.says('#state', /^Live/);
  const id = await player.page.evaluate(self);
  await player.becomes('one is there', (i) => document.game.world.snapshots.at(-1)?.players.get(i), id);
  const before = await player.page.evaluate(place, id);
  const box = await player.page.locator('#canvas').boundingBox();
  await player.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await player.page.mouse.down();
  await player.becomes('one comes near the middle', (i) => {
    const { x, y } = document.game.world.snapshots.at(-1).players.get(i);
    return Math.hypot(x - 800, y - 450) < 60;
  }, id);
  await player.page.mouse.up();
  assert.ok(before);
  const between = await player.page.evaluate(() => {
    const { World } = document.game.world.constructor.prototype.constructor === Object ? {} : { World: document.game.world.constructor };
    const world = new World();
    const snapshot = (tick, x) => {
      const view = new DataView(new ArrayBuffer(17));
      view.setUint8(0, 1);
      view.setUint32(1, tick, true);
      view.setUint8(7, 1);
      view.setUint8(9, 0);
      view.setUint16(11, x * 16, true);
      world.take(view.buffer);
    };
    for (let tick = 100; tick < 110; tick++) snapshot(tick, tick * 3);
    const now = performance.now();
    return Array.from({ length: 8 }, (_, i) => world.at(now + i * 4)[0].x);
  });
  for (let i = 1; i < between.length; i++)
    assert.ok(between[i] >= between[i - 1] && between[i] - between[i - 1] < 3, `steadily: ${between}`);
  assert.ok(new Set(between).size > 2, `not from tick to tick: ${between}`);
  await player.leave();
});

test('whoever breaks the game’s protocol is told so', limit, async () => {
  const { default: WebSocket } = await import('ws');
  const codeFor = (data) => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.ws}/demo/game`);
    socket.on('open', () => socket.send(data));
    socket.on('close', resolve);
    socket.on('error', reject);
  });
  assert.equal(await codeFor('text'), 1003);
  assert.equal(await codeFor(Buffer.from([])), 1003);
  assert.equal(await codeFor(Buffer.from([9, 9])), 1008);
  assert.equal(await codeFor(Buffer.from([1, 1])), 1008);
});

test('when the server ends, the pages say so and come back', limit, async () => {
  const excused = /ERR_CONNECTION_REFUSED|WebSocket connection to|404/; // nothing of a server in memory is left
  let other = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--demo']);
  const visitors = await Promise.all(pages.map((path) => visit(other.url + path, { excused })));
  for (const visitor of visitors) await visitor.says('#state', /^Live/);
  await other.stop();
  for (const visitor of visitors) await visitor.says('#state', /restarting|No answer/);
  other = await Server.start(duplex, ['serve', '--listen', `127.0.0.1:${other.port}`, '--demo']);
  for (const visitor of visitors) await visitor.says('#state', /^Live/, 60_000);
  for (const visitor of visitors) await visitor.leave();
  await other.stop();
});

// The console in Chromium, on the admin listener: what it shows is true, and only who may sees it.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { duplex, post, request, Server } from './helper.mjs';
import { faint, visit } from './pages.mjs';

const limit = { timeout: 120_000 };
const token = 'a token for tests, only';
let server;
let directory;

async function start(...more) {
  const started = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...more]);
  [, started.admin] = await started.says(/admin on ([^\s"]+)/);
  return started;
}

before(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-console-'));
  await writeFile(`${directory}/token`, `${token.replaceAll(' ', '-')}\n`);
  server = await start();
  server.kept = true; // until the hook below stops it
}, limit);
after(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const enter = async (options) => {
  const visitor = await visit(`${server.admin}/console/`, options);
  await visitor.says('#state', /^Live$/);
  return visitor;
};
const rowOf = (visitor, table, name) => visitor.page.locator(`#${table} tr`, { hasText: name });
const lookInto = (visitor, name) => visitor.page.click(`#streams button:text-is("${name}")`);

test('streams, their rates and subscribers, the server’s figures and connections are there, and live', limit, async () => {
  const visitor = await enter();
  const sockets = await Promise.all([1, 2].map(() => new Promise((resolve) => {
    const socket = new WebSocket(`${server.ws}/live/watched`);
    socket.once('open', () => resolve(socket));
  })));
  const busy = setInterval(() => sockets[0].send('{"n":1}'), 20);
  await visitor.becomes('a row with its subscribers, and a rate', () =>
    [...document.querySelectorAll('#streams tr')].some(({ cells }) =>
      cells[0].textContent === '/live/watched' && Number(cells[1].textContent) > 5 && cells[4].textContent === '2'));
  await visitor.becomes('two subscribers', () =>
    [...document.querySelectorAll('#subscribers tr')].filter(({ cells }) => cells[0].textContent === '/live/watched').length === 2);
  await visitor.becomes('two WebSockets', () =>
    [...document.querySelectorAll('#connections tr')].filter(({ cells }) => /^127\.0\.0\.1:\d+$/.test(cells[0].textContent) && cells[1].textContent === 'WebSocket').length === 2);
  await visitor.says('#connections-count', /^2$/);
  await visitor.says('#published', /^[1-9]/);
  for (const id of ['memory', 'in', 'out']) await visitor.says(`#${id}`, /^[\d.]+ [KM]?B$/);
  await visitor.says('#cpu', /^[\d.]+ %$/);
  clearInterval(busy);
  for (const socket of sockets) socket.close();
  await visitor.becomes('nobody is left', () => /Nobody/.test(document.querySelector('#subscribers').textContent));
  await visitor.leave({ mayShift: true }); // rows have come and gone
});

test('a subscriber that takes nothing is shown with what it is behind, until it has caught up', limit, async () => {
  const visitor = await enter();
  const slow = new WebSocket(`${server.ws}/live/lag`, { perMessageDeflate: false });
  await new Promise((resolve) => slow.once('open', resolve));
  slow.pause();
  const body = 'x'.repeat(50_000);
  for (let n = 0; n < 250; n++) await post(`${server.url}/live/lag`, 'text/plain', body);
  const behind = () => Number([...document.querySelectorAll('#subscribers tr')].find(({ cells }) => cells[0].textContent === '/live/lag')?.cells[2].textContent ?? -1);
  await visitor.becomes('more than a hundred behind', `(${behind})() > 100`);
  assert.equal(await rowOf(visitor, 'subscribers', '/live/lag').locator('td.lag').count(), 1);
  const [first] = await visitor.page.locator('#subscribers tr td:first-child').allTextContents();
  assert.equal(first, '/live/lag', 'the furthest behind is first');
  slow.resume();
  await visitor.becomes('it has caught up', `(${behind})() === 0`);
  slow.close();
  await visitor.leave({ mayShift: true });
});

test('look inside: what was said last, what comes, publishing; HTML is text, and bytes are shown as such', limit, async () => {
  const evil = '<img src=x onerror=alert(1)>';
  for (const [name, type, body] of [['inside', 'text/plain', evil], ['inside-json', 'application/json', `[{"text":"${evil}"}]`], [`inside-bytes`, 'application/octet-stream', '\x00\x01\xff']])
    await post(`${server.url}/live/${name}`, type, Buffer.from(body, 'latin1'));
  await post(`${server.url}/live/${encodeURIComponent(evil)}`, 'text/plain', 'in a stream of a bad name');
  const visitor = await enter({ excused: /403/ });
  const { page } = visitor;
  await visitor.says('#streams', /inside-bytes/);
  await lookInto(visitor, '/live/inside');
  await visitor.says('#messages', /<img src=x onerror=alert\(1\)>/);
  await post(`${server.url}/live/inside`, 'text/plain', 'what comes next');
  await visitor.says('#messages', /what comes next/);
  await page.fill('#message', 'from the console');
  await page.press('#message', 'Enter');
  await visitor.says('#messages', /from the console/);
  assert.equal((await request(`${server.url}/live/inside?last=1`)).body.toString(), 'from the console');
  await page.click('#follow');
  await post(`${server.url}/live/inside`, 'text/plain', 'while it is paused');
  await page.waitForTimeout(300);
  assert.doesNotMatch(await visitor.text('#messages'), /while it is paused/);
  await page.click('#follow');
  await visitor.says('#messages', /while it is paused/);
  await lookInto(visitor, '/live/inside-json');
  await visitor.says('#messages', /^\{"text":"<img src=x onerror=alert\(1\)>"\}$/);
  await page.fill('#message', '{"n": 1}');
  await page.press('#message', 'Enter');
  await visitor.says('#messages', /\{"n":1\}$/);
  await lookInto(visitor, '/live/inside-bytes');
  await visitor.says('#messages', /^00 01 ff$/);
  await page.click('#streams button:has-text("<img")');
  await visitor.says('#messages', /^in a stream of a bad name$/);
  assert.equal(await page.locator('main img').count(), 0);
  await page.fill('#filter', 'INSIDE-');
  await visitor.becomes('two are left', () => document.querySelectorAll('#streams tr').length === 2);
  await page.fill('#filter', 'no such stream');
  await visitor.says('#streams', /No such stream/);
  await lookIntoOwn(visitor);
  await visitor.leave({ mayShift: true });
});

// What nobody may publish the console does not publish either, and says why.
async function lookIntoOwn(visitor) {
  await visitor.page.fill('#filter', '$sys/stats');
  await visitor.says('#streams', /\$sys\/stats/);
  await lookInto(visitor, '/live/$sys/stats');
  await visitor.page.fill('#message', '{}');
  await visitor.page.press('#message', 'Enter');
  await visitor.says('#messages', /not published: By access\.publish of \/live\/\$sys\/ nobody may publish to this stream/);
}

test('what the console reads nobody reads where streams are served, and no page of another origin anywhere', limit, async () => {
  const where = '/live/$sys/console/now';
  assert.equal((await request(server.url + where)).status, 403);
  assert.equal((await request(`${server.admin}/streams${where}`, { headers: { Origin: 'http://other.example' } })).status, 403);
  assert.equal((await request(`${server.admin}/streams${where}`, { headers: { Host: 'other.example' } })).status, 421);
  assert.equal((await request(`${server.admin}/streams/live/x?offset=now&live=sse`)).status, 406);
  assert.equal((await request(`${server.admin}/streams/nowhere/x`)).status, 404);
  assert.equal((await request(`${server.admin}/streams`)).status, 404);
  assert.equal((await request(`${server.admin}/streams/live/x?offset=bad`)).status, 400);
  const page = await request(`${server.admin}/console/`);
  assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';/);
});

test('with a token: it is asked for, a wrong one is told, a right one is kept by the tab alone', limit, async () => {
  const guarded = await start('--admin-token-file', `${directory}/token`);
  const excused = /401/;
  assert.equal((await request(`${guarded.admin}/streams/live/x`)).status, 401);
  const visitor = await visit(`${guarded.admin}/console/`, { excused });
  const { page } = visitor;
  await visitor.says('#state', /wants to see its admin token/);
  assert.equal(await page.isVisible('#all'), false);
  await page.keyboard.type('not-the-right-token'); // the focus is there
  await page.keyboard.press('Enter');
  await visitor.says('#state', /does not take this token/);
  await page.fill('#token', token.replaceAll(' ', '-'));
  await page.press('#token', 'Enter');
  await visitor.says('#state', /^Live$/);
  await visitor.says('#memory', /B$/);
  await page.reload();
  await visitor.says('#state', /^Live$/);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie, sessionStorage.length]), [0, '', 1]);
  await page.click('#forget');
  await visitor.says('#state', /wants to see its admin token/);
  await visitor.leave({ mayShift: true });
  await guarded.stop();
});

test('it says when the server is away, and comes back', limit, async () => {
  let other = await start();
  const visitor = await visit(`${other.admin}/console/`, { excused: /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|40\d|410/ });
  await visitor.says('#state', /^Live$/);
  other.kill('SIGKILL');
  await other.ended;
  await visitor.says('#state', /No answer/);
  other = await start('--admin', new URL(other.admin).host);
  await visitor.says('#state', /^Live$/, 60_000);
  await visitor.becomes('figures again', () => /^[\d.]+ s/.test(document.querySelector('#up').textContent));
  await visitor.leave();
  await other.stop();
});

test('light and dark texts have the contrast of AA, nothing moves when data arrives; it fits a phone, and keys are enough', limit, async () => {
  for (const colorScheme of ['light', 'dark']) {
    const visitor = await enter({ colorScheme });
    await visitor.page.waitForTimeout(1500);
    const { count, found } = await visitor.page.evaluate(faint);
    assert.ok(count > 30);
    assert.deepEqual(found, []);
    await visitor.leave();
  }
  await post(`${server.url}/live/keys`, 'text/plain', 'by keys alone');
  const phone = await enter({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  assert.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), 360);
  await phone.says('#streams', /\/live\/keys/);
  await phone.page.focus('#filter');
  await phone.page.keyboard.type('/live/keys');
  await phone.becomes('one is left', () => document.querySelectorAll('#streams tr').length === 1);
  await phone.page.keyboard.press('Tab'); // the region, which scrolls
  await phone.page.keyboard.press('Tab');
  await phone.page.keyboard.press('Enter');
  await phone.says('#messages', /by keys alone/);
  await phone.leave();
});

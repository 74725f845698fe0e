// The comparison's page in Chromium: a run from the button to the words, for one who looks on, and where there is none.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request, serve } from './helper.mjs';
import { visit } from './pages.mjs';

const limit = { timeout: 180_000 };
const long_ms = 150_000; // a sanitized build on a busy machine; it is not timed here
let server;
before(async () => {
  server = await serve('--demo');
  server.kept = true; // until the hook below stops it
}, limit);
after(() => server?.stop());

const post = (type = 'application/json') =>
  request(`${server.url}/demo/compare`, { method: 'POST', headers: { 'Content-Type': type }, body: '{}' });

// The table of a phase: figures by way, none for what was not measured.
const tableOf = (page, phase) => page.evaluate((id) => Object.fromEntries([...document.querySelectorAll(`#${id} tbody tr`)]
  .map((row) => [row.dataset.way, [...row.cells].slice(1).map((cell) => Number(cell.textContent))])), phase);

const isPainted = (id) => {
  const canvas = document.querySelector(id);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let colours = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 0 && Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60) colours++;
  return colours > 50;
};

test('compare: a press of the button measures every way, and draws it while it comes', limit, async () => {
  const visitor = await visit(`${server.url}/compare/`);
  const onlooker = await visit(`${server.url}/compare/`);
  const { page } = visitor;
  await visitor.says('#state', /^Live/);
  await onlooker.says('#state', /^Live/);
  await page.click('#measure');
  await visitor.says('#progress', /^Measuring HTTP\/1\.[01], there and back/);
  assert.equal(await page.isDisabled('#measure'), true);
  await onlooker.says('#progress', /^Measuring/);
  const second = await post();
  assert.equal(second.status, 409, 'one at a time');
  assert.match(second.body.toString(), /under way/);
  await visitor.becomes('dots while it runs', isPainted, '#talk-plot');
  await visitor.says('#progress', /^Measured\.$/, long_ms);
  assert.equal(await page.isDisabled('#measure'), false);
  assert.equal(await page.evaluate(isPainted, '#push-plot'), true);

  const [talk, push] = [await tableOf(page, 'talk'), await tableOf(page, 'push')];
  for (const table of [talk, push])
    for (const way of ['http-1.0', 'http-1.1', 'http-2', 'long-poll', 'sse', 'websocket', 'websocket-deflated'])
      assert.ok(table[way].length === 7 && table[way].every((figure) => figure >= 0), `${way}: ${table[way]}`);
  const bytes = ([, , up, down]) => up + down;
  const connections = (figures) => figures[1];
  assert.ok(bytes(talk['http-1.0']) > bytes(talk['http-1.1']), 'a connection for each request costs more bytes');
  assert.ok(bytes(talk['http-1.1']) > bytes(talk['http-2']), 'heads that shrink cost fewer');
  assert.ok(bytes(talk['http-2']) > bytes(talk.websocket), 'and more than a WebSocket');
  assert.ok(bytes(talk.websocket) > bytes(talk['websocket-deflated']));
  assert.equal(connections(talk['http-1.0']), talk['http-1.0'][0], 'as many as requests');
  assert.deepEqual([connections(talk['http-1.1']), connections(talk['http-2']), connections(talk.websocket)], [1, 1, 1]);
  await visitor.says('#words', /10 requests are 10 connections.*bytes by HTTP\/1\.1, \d+ by HTTP\/2, and \d+ by WebSocket.*Who asks/s);

  await onlooker.says('#progress', /^Measured\.$/);
  assert.deepEqual(await tableOf(onlooker.page, 'talk'), talk, 'who looks on sees the same');
  const later = await visit(`${server.url}/compare/`);
  await later.says('#progress', /^Measured\.$/);
  assert.deepEqual(await tableOf(later.page, 'push'), push, 'and so does who comes later');
  await later.leave();
  await onlooker.leave();
  await visitor.leave();
});

test('compare: only who says that it is JSON begins one, so no page of another origin does', limit, async () => {
  assert.equal((await post('text/plain')).status, 415);
  const put = await request(`${server.url}/live/$sys/compare/runs`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"event":"begun"}' });
  assert.equal(put.status, 403, 'and nobody publishes what was not measured');
  const state = await request(`${server.url}/demo/compare`);
  assert.deepEqual(JSON.parse(state.body), { stream: '/live/$sys/compare/runs', running: false });
});

test('compare: a server without --demo says so, and begins nothing', limit, async () => {
  const plain = await serve();
  const visitor = await visit(`${plain.url}/compare/`, { excused: /40[34]/ });
  await visitor.says('#state', /without --demo/);
  assert.equal(await visitor.page.isDisabled('#measure'), true);
  assert.equal((await request(`${plain.url}/demo/compare`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status, 404);
  await visitor.leave();
  await plain.stop();
});

test('compare: a server that ends takes a run with it', limit, async () => {
  const other = await serve('--demo');
  assert.equal((await request(`${other.url}/demo/compare`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })).status, 202);
  await other.stop(); // in time: it does not wait for the run to end
});

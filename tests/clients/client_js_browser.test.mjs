// The browser client as pages load it in Debian's Chromium and Firefox: a module, a script, from elsewhere.
// Is not: what it does and all that can go wrong (client_js_chromium.test.mjs, client_js_firefox.test.mjs).
// A browser that is not there is skipped.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { range, root, until } from './client_js.mjs';
import { browsers, isThere } from './client_js_browsers.mjs';
import { freshPath, post, serve } from './helper.mjs';
import { sharedServer } from './scenes.mjs';

const limit = { timeout: 180_000 };
const shared = sharedServer(() => serve('--web', root));
const open = sharedServer(() => serve('--web', root, '--origins', '*'));

// Runs in the page: listens to a stream and publishes to it; what happens is in window.told.
async function begin({ url, options, count, first = 1, every_ms = 5 }) {
  const { Stream } = await import('/duplex.js');
  const told = (window.told = { values: [], states: [], doors: [], gaps: [], acks: 0, faults: [], members: [] });
  const stream = (window.stream = new Stream(url, { retry_ms: 50, retry_max_ms: 200, ...options }));
  stream.subscribe((value) => told.values.push(value), {
    offset: '-1',
    ongap: (gap) => told.gaps.push(gap),
    onstate: (state, { door }) => (told.states.push(state), state === 'live' && told.doors.push(door)),
  });
  for (let n = first; n < first + count; n++) {
    stream.publish(n).then(() => told.acks++, (error) => told.faults.push(String(error)));
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
}

for (const [name, { executablePath, launch }] of Object.entries(browsers)) {
  const skip = isThere(name) ? false : `there is no ${executablePath}`;

  describe(name, { skip }, () => {
    let browser;
    let page;
    let complaints;
    before(async () => { browser = await launch(executablePath); }, limit);
    after(() => browser?.close());

    const visit = async (origin) => {
      await page?.close();
      page = await browser.newPage();
      complaints = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        const { url } = message.location() ?? {};
        if (message.type() === 'error' && !url?.endsWith('/favicon.ico')) complaints.push(`${message.text()} ${url}`);
      });
      await page.goto(`${origin}/healthz`);
    };
    const told = () => page.evaluate(() => window.told);
    const becomes = (condition, what, ms = 60_000) => until(async () => condition(await told()), what, ms);

    test(`${name}: listening, publishing and presence on a stream that nobody knew, and no complaint`, limit, async () => {
      const stream = freshPath();
      await visit(shared.url);
      await page.evaluate(begin, { url: stream, count: 30 });
      await page.evaluate(() => { window.stream.presence(({ members }) => (window.told.members = [...members])); });
      await page.evaluate(() => window.stream.publish({ text: '<b>κόσμε</b> 🙂' }));
      await becomes(({ values, members }) => values.length === 31 && members.length === 1, 'all of it');
      const { values, doors: used, faults } = await told();
      assert.deepEqual([values, faults, complaints], [[...range(1, 30), { text: '<b>κόσμε</b> 🙂' }], [], []]);
      assert.deepEqual([...new Set(used)], ['websocket']);
      const last = await page.evaluate(() => window.stream.last(2));
      assert.deepEqual([...last], [30, { text: '<b>κόσμε</b> 🙂' }]);
      await page.evaluate(() => window.stream.close());
    });

    test(`${name}: the classic script, bytes and text`, limit, async () => {
      await visit(shared.url);
      await page.addScriptTag({ url: '/duplex.classic.js' });
      const outcome = await page.evaluate(async ([bytesUrl, textUrl]) => {
        const outcomes = [];
        for (const [url, messages] of [[bytesUrl, [Uint8Array.of(0, 10, 255), Uint8Array.of(13, 10)]], [textUrl, ['two\nlines', ' blank']]]) {
          const stream = new window.Duplex.Stream(url);
          for (const message of messages) await stream.publish(message);
          outcomes.push(await new Promise((resolve) => {
            const seen = [];
            stream.subscribe((value) => seen.push(typeof value === 'string' ? value : [...value]) === messages.length && resolve(seen), { offset: '-1' });
          }));
          stream.close();
        }
        return outcomes;
      }, [freshPath(), freshPath()]);
      assert.deepEqual(outcome, [[[0, 10, 255], [13, 10]], ['two\nlines', ' blank']]);
      assert.deepEqual(complaints, []);
    });

    test(`${name}: a page of another host is let in by all doors where origins say so, and by none where not`, limit, async () => {
      const stream = freshPath();
      await visit(open.url.replace('127.0.0.1', 'localhost'));
      await post(open.url + stream, 'application/json', '[0]');
      await page.evaluate(begin, { url: open.url + stream, first: 1, count: 10 });
      await becomes(({ values }) => values.length === 11, 'all of it');
      const { values, doors: used } = await told();
      assert.deepEqual([values, [...new Set(used)]], [range(0, 10), ['websocket']]);
      await page.evaluate(() => window.stream.close());
      await visit(shared.url.replace('127.0.0.1', 'localhost'));
      const outcome = await page.evaluate((url) => fetch(url).then((answer) => answer.status, (error) => error.name), shared.url + stream);
      assert.equal(outcome, 'TypeError'); // the browser tells a page no more than that
    });
  });
}

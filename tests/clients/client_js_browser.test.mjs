// The browser client in browsers: Debian's Chromium and Firefox, with a page's own WebSocket and fetch.
// Is not: all faults and refusals (client_js_faults.test.mjs).
// A browser that is not there is skipped. More seeds: CLIENT_SEEDS=20
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { create, doors, pause, Phoenix, random, range, Relay, root, seeds, until } from './client_js.mjs';
import { freshPath, history, post, serve } from './helper.mjs';
import { sharedServer } from './scenes.mjs';

const limit = { timeout: 180_000 };
const shared = sharedServer(() => serve('--web', root));

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browsers = {
  Chromium: {
    executablePath: '/usr/bin/chromium',
    launch: (executablePath) => chromium.launch({ executablePath, headless: true, args: flags }),
  },
  Firefox: {
    executablePath: '/usr/bin/firefox-esr',
    launch: (executablePath) => puppeteer.launch({ browser: 'firefox', executablePath, headless: true }),
  },
};

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
  const skip = fs.existsSync(executablePath) ? false : `there is no ${executablePath}`;

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

    for (let seed = 1; seed <= seeds; seed++)
      for (const door of doors)
        test(`${name}, ${door}: lines are cut again and again: nothing is lost, doubled or out of order (seed ${seed})`, limit, async () => {
          const rand = random(seed);
          const relay = await Relay.to(new URL(shared.url).port);
          const stream = freshPath();
          await visit(relay.url);
          await page.evaluate(() => import('/duplex.js').then(() => 0));
          const stop = relay.cutting(rand, 150);
          await page.evaluate(begin, { url: stream, options: { doors: [door] }, count: 100, every_ms: 5 + rand(10) });
          await becomes(({ acks, faults }) => acks + faults.length === 100, 'the acknowledgements');
          stop();
          await becomes(({ values }) => values.length >= 100, 'the messages');
          const { values, gaps, faults } = await told();
          assert.deepEqual([values, gaps, faults], [range(1, 100), [], []]);
          assert.ok(relay.cuts > 3, `${relay.cuts} cuts`);
          assert.deepEqual(JSON.parse((await history(shared.url + stream)).body), range(1, 100));
          await page.evaluate(() => window.stream.close());
          relay.close();
        });

    test(`${name}: the server is killed and started again: nothing is lost, doubled or out of order`, limit, async () => {
      const directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-browser-'));
      const phoenix = await Phoenix.start(directory, '--web', root);
      const url = `${phoenix.url}/s/killed`;
      await create(url);
      await visit(phoenix.url);
      const publishing = page.evaluate(begin, { url, count: 150, every_ms: 10 });
      for (let life = 1; life <= 3; life++) {
        await pause(300);
        await phoenix.die();
        await pause(50 * life);
        await phoenix.rise();
      }
      await publishing;
      await becomes(({ acks, values }) => acks === 150 && values.length >= 150, 'all of it');
      const { values, gaps } = await told();
      assert.deepEqual([values, gaps], [range(1, 150), []]);
      assert.deepEqual(JSON.parse((await history(url)).body), range(1, 150));
      await page.evaluate(() => window.stream.close());
      await phoenix.stop();
      await rm(directory, { recursive: true });
    });

    test(`${name}: a page of another host is let in by HTTP only: SSE and POST`, limit, async () => {
      const stream = freshPath();
      await visit(shared.url.replace('127.0.0.1', 'localhost'));
      await post(shared.url + stream, 'application/json', '[0]');
      await page.evaluate(begin, { url: shared.url + stream, first: 1, count: 10 });
      await becomes(({ values }) => values.length === 11, 'all of it');
      const { values, doors: used } = await told();
      assert.deepEqual([values, [...new Set(used)]], [range(0, 10), ['sse']]);
      await page.evaluate(() => window.stream.close());
    });

    test(`${name}: who comes online does not wait any longer`, limit, async () => {
      const relay = await Relay.to(new URL(shared.url).port);
      await visit(relay.url);
      await page.evaluate(begin, { url: freshPath(), options: { retry_ms: 1e9, retry_max_ms: 1e9 }, count: 0 });
      await becomes(({ states }) => states.at(-1) === 'live', 'live');
      relay.isRefusing = true;
      relay.cut();
      await becomes(({ states }) => states.at(-1) === 'waiting', 'waiting');
      relay.isRefusing = false;
      await pause(100);
      assert.equal((await told()).states.at(-1), 'waiting');
      await page.evaluate(() => { window.dispatchEvent(new Event('online')); });
      await becomes(({ states }) => states.at(-1) === 'live', 'live again');
      await page.evaluate(() => window.stream.close());
      relay.close();
    });
  });
}

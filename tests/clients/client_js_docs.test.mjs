// What README.md and docs/browser.md tell pages to do is done in Chromium, as it stands; and in Node, what is for Node.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { here, root, until } from './client_js.mjs';
import { run, serve } from './helper.mjs';
import { limit } from './scenes.mjs';

const blocks = (file, language) =>
  [...fs.readFileSync(path.join(here, '../..', file), 'utf8').matchAll(new RegExp('^```' + language + '\\n(.*?)^```', 'gms'))].map(([, text]) => text);
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

test('docs/browser.md and README.md: each example runs in a page as it stands', limit, async () => {
  const server = await serve('--web', root);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
  try {
    const page = await browser.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${server.url}/healthz`);
    await page.evaluate(() => {
      window.told = { show: [], draw: [], say: [], done: [] };
      for (const name of ['show', 'draw', 'say']) window[name] = (value) => window.told[name].push(value);
    });
    const told = () => page.evaluate(() => window.told);
    const examples = [...blocks('docs/browser.md', 'js'), ...blocks('README.md', 'js').filter((text) => text.includes('duplex.js'))];
    assert.ok(examples.length >= 9);
    for (const [i, content] of examples.entries()) {
      await page.addScriptTag({ type: 'module', content: `${content}\nwindow.told.done.push(${i})` });
      await until(async () => faults.length > 0 || (await told()).done.includes(i), `the end of ${content}`);
      assert.deepEqual(faults, [], content);
    }
    await until(async () => (await told()).say.includes(''), 'live');
    const { show, draw } = await told();
    assert.deepEqual(draw, [100]);
    assert.ok(show.includes('Make it first.') && show.includes('Ann is here'), JSON.stringify(show));
  } finally {
    await browser.close();
    await server.stop();
  }
});

test('docs/browser.md: the program for Node', limit, async () => {
  const server = await serve();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-node-'));
  try {
    const [text] = blocks('docs/browser.md', 'mjs');
    const modules = path.join(directory, 'node_modules');
    fs.mkdirSync(modules);
    fs.symlinkSync(root, path.join(modules, 'duplex-stream'));
    fs.symlinkSync(path.join(here, 'node_modules/ws'), path.join(modules, 'ws'));
    fs.writeFileSync(path.join(directory, 'a.mjs'), text.replace('127.0.0.1:4437', server.host));
    const { code, out, err } = await run(process.execPath, [path.join(directory, 'a.mjs')]);
    assert.deepEqual([code, out, err], [0, '[ { price: 101 } ]\n', '']);
  } finally {
    fs.rmSync(directory, { recursive: true });
    await server.stop();
  }
});

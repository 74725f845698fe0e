// The pages in Firefox: all of them come to life, nothing is complained about, and two people talk.
// Is not: what each page does in full (web*.test.mjs, in Chromium).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from './client_js.mjs';
import { browsers, isThere } from './client_js_browsers.mjs';
import { serve } from './helper.mjs';

const limit = { timeout: 180_000, skip: isThere('Firefox') ? false : 'there is no Firefox' };
const patience_ms = 60_000; // Firefox takes its time on a busy machine
let server;
let browser;

before(async () => {
  if (limit.skip) return;
  server = await serve('--demo', '--admin', '127.0.0.1:0');
  server.kept = true; // until the hook below stops it
  [, server.admin] = await server.says(/admin on ([^\s"]+)/);
  browser = await browsers.Firefox.launch(browsers.Firefox.executablePath);
}, limit);
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function visit(url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.evaluateOnNewDocument(() => {
    window.violations = [];
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => window.violations.push(`${violatedDirective}: ${blockedURI}`));
  });
  await page.goto(url);
  const text = (selector) => page.$eval(selector, (element) => element.textContent);
  const says = (selector, pattern) => until(async () => pattern.test(await text(selector)), `${selector} to say ${pattern}`, patience_ms);
  const leave = async () => {
    assert.deepEqual(await page.evaluate(() => window.violations), [], 'no violation of the policy');
    assert.deepEqual(complaints, [], 'no complaint');
    await context.close();
  };
  return { page, text, says, leave };
}

for (const [path, selector, pattern] of [
  ['/', '#memory', /B$/],
  ['/ticker/', '#join', /^\d+ changes by HTTP, then [1-9]\d* by WebSocket: none missing, none doubled\.$/],
  ['/game/', '#players', /bots$/],
  ['/compare/', '#words', /./],
])
  test(`Firefox: ${path} comes to life, and nothing is complained about`, limit, async () => {
    const visitor = await visit(server.url + path);
    await visitor.says('#state', /^Live/);
    await visitor.says(selector, pattern);
    await visitor.leave();
  });

test('Firefox: two people talk in the chat, and one sees the other', limit, async () => {
  const people = [await visit(`${server.url}/chat/#room/fox`), await visit(`${server.url}/chat/#room/fox`)];
  for (const { says } of people) await says('#state', /^Live/);
  for (const { says } of people) await says('#people', /in #fox/);
  await people[0].page.type('#words', 'hello <b>fox</b>');
  await people[0].page.keyboard.press('Enter');
  await people[1].says('#log', /hello <b>fox<\/b>/);
  assert.equal((await people[1].page.$$('#log li p b')).length, 0, 'HTML is text');
  for (const { leave } of people) await leave();
});

test('Firefox: the console is live', limit, async () => {
  const visitor = await visit(`${server.admin}/console/`);
  await visitor.says('#state', /^Live$/);
  await visitor.says('#streams', /\/live\/ticker\/AMBR/);
  await visitor.leave();
});

// Chromium for tests of the pages: windows that note what must not happen, and what a script can see of a page.
// Is:     visits, with console errors, violations of the policy and layout shifts collected; contrast, overflow.
// Is not: the scenes themselves (web*.test.mjs).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, afterEach } from 'node:test';
import { chromium } from 'playwright-core';

import { patience_ms } from './helper.mjs';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let browser;
const contexts = new Set();
afterEach(() => Promise.all([...contexts].map((context) => context.close()))); // of a test that failed
after(() => browser?.close());

// What runs in every page before its own scripts.
function watch() {
  window.seen = { violations: [], shift: 0, shifted: [] };
  addEventListener('securitypolicyviolation', (event) =>
    window.seen.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) {
        window.seen.shift += entry.value;
        window.seen.shifted.push(...entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName));
      }
  }).observe({ type: 'layout-shift', buffered: true });
}

// A window of somebody: cookies, storage and all else are not shared with others.
// excused: what the console may say (a server that was killed is complained about by the browser itself).
export async function visit(url, { excused, ...options } = {}) {
  browser ??= await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  contexts.add(context);
  context.on('close', () => contexts.delete(context));
  const page = await context.newPage();
  const errors = [];
  page.setDefaultTimeout(patience_ms);
  page.on('console', (message) => message.type() === 'error' && !excused?.test(message.text()) && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.stack));
  await page.addInitScript(watch);
  await page.goto(url);
  return {
    page,
    text: (selector) => page.textContent(selector),
    // Waits until the text of an element fits.
    async says(selector, pattern, ms = patience_ms) {
      const until = Date.now() + ms;
      for (let text; ; await page.waitForTimeout(25)) {
        text = await page.textContent(selector);
        if (pattern.test(text)) return text.match(pattern);
        assert.ok(Date.now() < until, `${selector} says "${text}", and ${pattern} was due`);
      }
    },
    async becomes(what, script, argument, ms = patience_ms) {
      const until = Date.now() + ms;
      while (!await page.evaluate(script, argument)) {
        assert.ok(Date.now() < until, `not within ${ms} ms: ${what}`);
        await page.waitForTimeout(25);
      }
    },
    seen: () => page.evaluate('window.seen'),
    // The end of a visit: nothing may have gone wrong.
    async leave({ mayShift = false } = {}) {
      const seen = await page.evaluate('window.seen');
      assert.deepEqual(seen.violations, [], 'no violation of the policy');
      assert.deepEqual(errors, [], 'no errors in the console');
      if (!mayShift) assert.ok(seen.shift < 0.001, `the layout moved by ${seen.shift}: ${seen.shifted}`);
      await context.close();
    },
  };
}

// In a page: each visible text whose contrast with what is behind it is below WCAG 2's AA.
export function faint() {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if ((colour[3] ?? 1) > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  let count = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const elements = new Set([...document.querySelectorAll('input, button')]);
  while (texts.nextNode()) if (texts.currentNode.data.trim()) elements.add(texts.currentNode.parentElement);
  for (const element of elements) {
    const style = getComputedStyle(element);
    if (!element.checkVisibility?.() || element.closest('.aside, :disabled') || style.opacity < 1) continue;
    const [a, b] = [luminance(numbers(style.color)), luminance(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    count++;
    if ((a + 0.05) / (b + 0.05) < (isLarge ? 3 : 4.5)) found.push(`${element.outerHTML.slice(0, 80)}: ${style.color} on ${behind(element)}`);
  }
  return { count, found };
}

// Debian's browsers, for tests of the client: each gives pages that can be evaluated in.
// SPDX-License-Identifier: MIT
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets']; // a page that is made up is of no network
// A page that is not in front has its timers slowed down; those of tests are all there at once.
const preferences = { 'dom.min_background_timeout_value': 4, 'dom.timeout.enable_budget_timer_throttling': false };

export const browsers = {
  Chromium: {
    executablePath: '/usr/bin/chromium',
    launch: (executablePath) => chromium.launch({ executablePath, headless: true, args: flags }),
    // Whoever listens at the URL, this is what is there.
    async answer(page, body) {
      await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body }));
      return () => page.unroute('**/*');
    },
  },
  Firefox: {
    executablePath: '/usr/bin/firefox-esr',
    launch: (executablePath) => puppeteer.launch({ browser: 'firefox', executablePath, headless: true, extraPrefsFirefox: preferences }),
    async answer(page, body) {
      const respond = (request) => request.respond({ status: 200, contentType: 'text/html', body });
      await page.setRequestInterception(true);
      page.on('request', respond);
      return async () => {
        await page.setRequestInterception(false);
        page.off('request', respond);
      };
    },
  },
};

export const isThere = (name) => fs.existsSync(browsers[name].executablePath);

// One browser, begun when its first page is wanted.
export class Browser {
  #browser;

  constructor(name) {
    this.of = browsers[name];
  }

  launch() {
    return (this.#browser ??= this.of.launch(this.of.executablePath));
  }

  async load(url, html) {
    const page = await (await this.launch()).newPage();
    const done = await this.of.answer(page, html);
    await page.goto(url);
    await done();
    return page;
  }

  async close() {
    await (await this.#browser)?.close();
  }
}

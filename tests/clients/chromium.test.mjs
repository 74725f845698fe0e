// Chromium: a page's own WebSocket and fetch, on the origin that the server serves.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { freshPath, Inbox, post, within } from './helper.mjs';
import { limit, playHttp, playWebSocket, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer();
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const sockets = new Map(); // id: what its events go to
let browser;
let page;

before(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags });
  page = await browser.newPage(); // launch() makes a new profile each time
  await page.exposeFunction('tell', (id, event) => sockets.get(id)(event));
  const answer = await page.goto(`${shared.url}/healthz`);
  assert.equal(answer.status(), 200);
}, limit);
after(() => browser?.close());

// Opens a WebSocket in the page; its events come over the bridge in the order they happened.
async function connect(url) {
  const id = sockets.size;
  const inbox = new Inbox();
  let opened;
  const open = new Promise((resolve, reject) => (opened = { resolve, reject }));
  sockets.set(id, (event) => {
    if ('text' in event) inbox.push(event.text);
    else if ('bytes' in event) inbox.push(Buffer.from(event.bytes));
    else if ('open' in event) opened.resolve(event.open);
    else {
      opened.reject(new Error(`closed: ${JSON.stringify(event)}`));
      inbox.end(event);
    }
  });
  await page.evaluate(([number, address]) => {
    const socket = new WebSocket(address);
    (window.sockets ??= {})[number] = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => window.tell(number, { open: socket.extensions });
    socket.onclose = ({ code, wasClean }) => window.tell(number, { code, wasClean });
    socket.onmessage = ({ data }) =>
      window.tell(number, typeof data === 'string' ? { text: data } : { bytes: [...new Uint8Array(data)] });
  }, [id, url]);
  const extensions = await within(open, `the page's WebSocket to open ${url}`);
  return {
    inbox, extensions,
    send: (data) => page.evaluate(([number, text, bytes]) =>
      window.sockets[number].send(text ?? new Uint8Array(bytes)),
    [id, typeof data === 'string' ? data : null, typeof data === 'string' ? null : [...data]]),
    async close() {
      await page.evaluate((number) => window.sockets[number].close(1000), id);
      await assert.rejects(inbox.take());
      assert.deepEqual(inbox.ended, { code: 1000, wasClean: true });
    },
  };
}

playWebSocket('Chromium', { connect }, shared);

playHttp('fetch in Chromium', {
  post: (url, type, body) => page.evaluate(async ([address, kind, content]) => {
    const answer = await fetch(address, { method: 'POST', headers: { 'Content-Type': kind }, body: content });
    return { status: answer.status, next: answer.headers.get('Stream-Next-Offset') };
  }, [url, type, body]),
  get: (url) => page.evaluate(async (address) => {
    const answer = await fetch(address);
    const of = (name) => answer.headers.get(name);
    return {
      status: answer.status, body: await answer.text(), type: of('Content-Type'),
      next: of('Stream-Next-Offset'), upToDate: of('Stream-Up-To-Date'),
    };
  }, [url]),
}, shared);

test('Chromium: the browser offers compression and gets it', limit, async () => {
  const reader = await connect(shared.ws + freshPath());
  assert.match(reader.extensions, /^permessage-deflate\b/);
  await reader.close();
});

test('Chromium: two tabs and npm ws talk to each other over one URL', limit, async () => {
  const path = freshPath();
  const tabs = [await connect(`${shared.ws}${path}?echo=0`), await connect(`${shared.ws}${path}?echo=0`)];
  const other = await wsClient().connect(`${shared.ws}${path}?echo=0`);
  await tabs[0].send('from the first tab');
  assert.equal(await tabs[1].inbox.take(), 'from the first tab');
  assert.equal(await other.inbox.take(), 'from the first tab');
  other.send('from ws');
  for (const tab of tabs) assert.equal(await tab.inbox.take(), 'from ws');
  for (const tab of tabs) await tab.close();
  other.close();
});

test('Chromium: a page of another origin is refused, and nothing leaks to it', limit, async () => {
  const path = freshPath();
  await post(shared.url + path, 'text/plain', 'not for others');
  const stranger = await browser.newPage();
  await stranger.goto(`${shared.url.replace('127.0.0.1', 'localhost')}/healthz`);
  const outcome = await stranger.evaluate((address) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onmessage = ({ data }) => resolve(`leaked: ${data}`);
    socket.onclose = ({ code }) => resolve(code);
  }), `${shared.ws}${path}?offset=-1`);
  assert.equal(outcome, 1006, 'the handshake failed');
  await stranger.close();
});

test('Chromium: when the server says close 1001 the page sees it', limit, async () => {
  const reader = await connect(shared.ws + freshPath());
  await shared.server.stop();
  await assert.rejects(reader.inbox.take());
  assert.deepEqual(reader.inbox.ended, { code: 1001, wasClean: true });
  shared.server = null; // the last test of this file
});

// Stories: what people build with streams, as they would build it.
// Is:     a chat room, a price board that starts with its history, a private message.
// Is not: the details of each door (the other files here, src/serve/test_door_*.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

import { Inbox, post, request, serve, within } from './helper.mjs';

const limit = { timeout: 60_000 };

// A session over duplex.v1: what it hears, messages as { offset, data }, control frames as they are.
async function join(url, headers = {}) {
  const socket = new WebSocket(url, ['duplex.v1'], { headers });
  const heard = new Inbox();
  const control = new Inbox();
  socket.on('message', (frame) => {
    const text = frame.toString();
    if (text.startsWith('\n')) return control.push(JSON.parse(text));
    const [offset, data] = text.split(/\n(.*)/s, 2);
    heard.push({ offset, data: JSON.parse(data) });
  });
  socket.on('close', (code, reason) => [heard, control].forEach((box) => box.end({ code, reason: reason.toString() })));
  await within(
    new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
    `a WebSocket to ${url}`,
  );
  let last = 0;
  return {
    heard, control,
    say(data) {
      socket.send(`${++last}\n${JSON.stringify(data)}`);
      return String(last);
    },
    async controlWith(member) {
      for (;;) {
        const frame = await control.take();
        if (member in frame) return frame;
      }
    },
    leave: () => socket.close(1000),
  };
}

// EventSource as a browser has it.
function listen(url) {
  const source = new EventSource(url);
  const inbox = new Inbox();
  source.onmessage = (event) => inbox.push({ id: event.lastEventId, data: JSON.parse(event.data) });
  return { inbox, close: () => source.close() };
}

async function create(url, type = 'application/json') {
  const { status, body } = await request(url, { method: 'PUT', headers: { 'Content-Type': type } });
  assert.equal(status, 201, body.toString());
}

test('a chat room: who is there, what is said, what was said before one came, and who leaves', limit, async () => {
  const server = await serve();
  const room = `${server.ws}/s/rooms/tea`;
  await create(`${server.url}/s/rooms/tea`);
  const as = (id, name) => `?member=${id}&presence=${encodeURIComponent(JSON.stringify({ name }))}`;

  const ann = await join(`${room}${as('ann', 'Ann')}`);
  const bob = await join(`${room}${as('bob', 'Bob')}`);
  for (let known = []; !known.includes('bob');) known.push(...(await ann.controlWith('join')).join.map(({ id }) => id));

  const id = ann.say({ from: 'Ann', text: 'Tea?' });
  const { offset } = await ann.controlWith('ack');
  assert.deepEqual((await bob.heard.take()).data, { from: 'Ann', text: 'Tea?' });
  assert.equal((await ann.heard.take()).offset, offset, 'one hears oneself, where the acknowledgement says');
  assert.equal(id, '1');
  bob.say({ from: 'Bob', text: 'Please.' });
  assert.equal((await ann.heard.take()).data.text, 'Please.');

  // Cleo comes late, reads all of it, and nobody else hears anything twice.
  const cleo = await join(`${room}${as('cleo', 'Cleo')}&offset=-1`);
  assert.deepEqual((await cleo.heard.takeAll(2)).map(({ data }) => data.text), ['Tea?', 'Please.']);

  // Who is there, for those who only ask.
  const { body } = await request(`${server.url}/s/rooms/tea?presence`);
  const present = JSON.parse(body);
  assert.equal(present.count, 3);
  assert.deepEqual(present.members.map((member) => member.data.name).sort(), ['Ann', 'Bob', 'Cleo']);

  const before = Date.now();
  bob.leave();
  for (;;) {
    const { leave } = await ann.controlWith('leave');
    if (leave.includes('bob')) break;
  }
  assert.ok(Date.now() - before < 1000, 'a clean leave is heard of within a second');
  assert.equal(ann.heard.waiting + cleo.heard.waiting, 0);
  ann.leave();
  cleo.leave();
  await server.stop();
});

test('a price board: the last prices at once, then each as it comes, in a browser and in a terminal', limit, async () => {
  const server = await serve();
  const url = `${server.url}/s/prices/btc-usd`;
  await create(url);
  for (let price = 100; price < 110; price++) await post(url, 'application/json', JSON.stringify({ price }));

  // The board draws its last five prices, and goes on from where they end.
  const recent = await request(`${url}?last=5`);
  assert.deepEqual(JSON.parse(recent.body).map(({ price }) => price), [105, 106, 107, 108, 109]);
  const next = recent.headers['stream-next-offset'];
  const page = listen(`${url}?offset=${next}`);
  const desk = await join(`${server.ws}/s/prices/btc-usd?offset=${next}&write=0`);

  // The feed publishes many at once.
  await post(url, 'application/json', '[{"price":110},{"price":111}]');
  await post(url, 'application/json', '{"price":112}');
  const onPage = await page.inbox.takeAll(3);
  const onDesk = await desk.heard.takeAll(3);
  assert.deepEqual(onPage.map(({ data }) => data.price), [110, 111, 112]);
  assert.deepEqual(onDesk, onPage.map(({ id, data }) => ({ offset: id, data })));

  // Trading ends: nobody waits for ever.
  const closed = await request(url, { method: 'POST', headers: { 'Stream-Closed': 'true' } });
  assert.equal(closed.status, 204);
  await desk.controlWith('closed');
  assert.equal((await request(`${url}?offset=${onDesk[2].offset}&live=long-poll`)).headers['stream-closed'], 'true');
  page.close();
  await server.stop();
});

test('a private message: whoever may writes to an inbox, only its owner reads it', limit, async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-story-'));
  const config = path.join(directory, 'duplex.yaml');
  await writeFile(config, 'access:\n  subject_header: X-Duplex-Subject\n  trusted_from: [127.0.0.1]\n');
  const server = await serve('--config', config);
  const inbox = `${server.url}/u/ann/inbox`;
  const as = (name) => ({ 'X-Duplex-Subject': name });

  const sent = await request(inbox, {
    method: 'POST', headers: { ...as('bob'), 'Content-Type': 'application/json' }, body: '{"from":"bob","text":"Hi"}',
  });
  assert.equal(sent.status, 204, sent.body.toString());
  assert.equal((await request(`${inbox}?offset=-1`, { headers: as('bob') })).status, 403);
  assert.equal((await request(`${inbox}?offset=-1`)).status, 401);
  await assert.rejects(join(`${server.ws}/u/ann/inbox`, as('bob')), /403/);

  const ann = await join(`${server.ws}/u/ann/inbox?offset=-1`, as('ann'));
  assert.deepEqual((await ann.heard.take()).data, { from: 'bob', text: 'Hi' });
  await request(inbox, {
    method: 'POST', headers: { ...as('bob'), 'Content-Type': 'application/json' }, body: '{"from":"bob","text":"Still there?"}',
  });
  assert.equal((await ann.heard.take()).data.text, 'Still there?');
  ann.leave();
  await server.stop();
  await rm(directory, { recursive: true });
});

// The browser client: what it is for, at every door.
// Is not: faults (client_js_faults.test.mjs), what a page loads (client_js_made.test.mjs).
// In browsers, too: client_js_chromium.test.mjs, client_js_firefox.test.mjs.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { create, doors, DuplexError, listen, open, pause, range, rejection, test, uncaught, until } from './client_js.mjs';
import { freshPath, post, request } from './helper.mjs';
import { limit, sharedServer } from './scenes.mjs';

const shared = sharedServer();

// ---- reading and writing -------------------------------------------------------------------------------

for (const door of doors) {
  const only = { doors: [door] };

  test(`${door}: what has happened and what happens next are one sequence`, limit, async () => {
    const url = shared.url + freshPath();
    await post(url, 'application/json', '[1,2,3]');
    const told = listen(open(url, only), { offset: '-1' });
    await told.count(3);
    for (const n of range(4, 9)) await post(url, 'application/json', `{"n":${n}}`);
    await told.count(9);
    assert.deepEqual(told.values, [1, 2, 3, ...range(4, 9).map((n) => ({ n }))]);
    const { headers } = await request(url, { method: 'HEAD' });
    assert.equal(told.sub.offset, headers['stream-next-offset']);
    assert.equal((await told.state('live')).door, door);
  });

  test(`${door}: "now" begins at the end, and a cursor where it says`, limit, async () => {
    const url = shared.url + freshPath();
    const first = await post(url, 'application/json', '["old"]');
    await post(url, 'application/json', '["newer"]');
    const now = listen(open(url, only));
    const later = listen(open(url, only), { offset: first });
    await now.state('live');
    await later.state('live');
    await post(url, 'application/json', '["next"]');
    await now.count(1);
    await later.count(2);
    assert.deepEqual([now.values, later.values], [['next'], ['newer', 'next']]);
  });

  test(`${door}: text comes as text, message by message, lines and blanks and all`, limit, async () => {
    const url = shared.url + freshPath();
    const told = listen(open(url, only), { offset: '-1' });
    const stream = open(url, only);
    const texts = ['hello', ' a blank in front', 'two\nlines\n', 'κόσμε 🙂', '{"no":"JSON"}', 'data: id: 7', 'a\u2028data: b\u2029c'];
    for (const text of texts) assert.ok((await stream.publish(text)).offset);
    await told.count(texts.length);
    assert.deepEqual(told.values, texts);
    assert.deepEqual(await stream.last(2), Object.assign(['{"no":"JSON"}data: id: 7'], { ...(await stream.last(2)) }));
  });

  test(`${door}: bytes in, bytes out`, limit, async () => {
    const url = shared.url + freshPath();
    const told = listen(open(url, only), { offset: '-1' });
    const stream = open(url, only);
    const messages = [Uint8Array.of(0, 10, 255, 13, 10, 0), new Uint8Array(20_000).map((_, i) => i * 7), Uint8Array.of(10)];
    await stream.publish(messages[0]);
    await Promise.all([stream.publish(messages[1].buffer), stream.publish(new DataView(messages[2].buffer))]);
    await told.count(3);
    assert.deepEqual(told.values, messages);
    const [all] = await stream.last(3);
    assert.deepEqual(all, Uint8Array.from(messages.flatMap((bytes) => [...bytes])));
  });

  test(`${door}: { last } begins with the last messages; a stream that nobody wrote to has none`, limit, async () => {
    const url = shared.url + freshPath();
    const empty = listen(open(url, only), { last: 3 });
    await until(() => empty.states.includes('live'), 'live');
    await post(url, 'application/json', '[1,2,3,4]');
    const told = listen(open(url, only), { last: 2 });
    await told.count(2);
    await told.state('live');
    await post(url, 'application/json', '[5]');
    await told.count(3);
    await empty.count(5);
    assert.deepEqual([told.values, empty.values], [[3, 4, 5], [1, 2, 3, 4, 5]]);
  });

  test(`${door}: the end of a stream comes behind its last message`, limit, async () => {
    const url = `${shared.url}/s/closed-${door}`;
    await create(url);
    const told = listen(open(url, only));
    await told.state('live');
    await request(url, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Stream-Closed': 'true' }, body: '"bye"' });
    await told.state('closed');
    assert.deepEqual(told.values, ['bye']);
    const late = listen(open(url, only), { offset: '-1' });
    await late.state('closed');
    assert.deepEqual(late.values, ['bye']);
    assert.equal((await rejection(open(url, only).publish(1))).code, 'closed');
  });
}

test('publish: each is acknowledged with its cursor, in the order of the calls', limit, async () => {
  const stream = open(shared.url + freshPath());
  const acks = await Promise.all(range(1, 300).map((n) => stream.publish({ n })));
  assert.deepEqual((await stream.last(300)).map(({ n }) => n), range(1, 300));
  const offsets = acks.map(({ offset }) => offset);
  assert.deepEqual(offsets, [...new Set(offsets)].sort());
  assert.equal((await stream.info()).offset, offsets.at(-1));
});

test('publish: a string in a stream of JSON is JSON, an array one message, and what is large goes all the same', limit, async () => {
  const url = shared.url + freshPath();
  await post(url, 'application/json', '[0]');
  const stream = open(url);
  const large = 'x'.repeat(200_000);
  await Promise.all(['text', [1, [2]], large, null, 7].map((value) => stream.publish(value)));
  assert.deepEqual([...(await stream.last(5))], ['text', [1, [2]], large, null, 7]);
  assert.throws(() => { throw new DuplexError('gone'); }, { name: 'DuplexError', code: 'gone', status: 0 });
  await assert.rejects(stream.publish(undefined), TypeError);
});

test('history: page by page, from a cursor, and where to go on', limit, async () => {
  const url = `${shared.url}/s/history`;
  await create(url);
  const pad = 'x'.repeat(100_000);
  for (const n of range(1, 25)) await post(url, 'application/json', JSON.stringify({ n, pad }));
  const past = open(url).history();
  const seen = [];
  const cursors = new Set();
  for await (const { n } of past) {
    seen.push(n);
    cursors.add(past.offset);
  }
  assert.deepEqual(seen, range(1, 25));
  assert.ok(cursors.size >= 3, `${cursors.size} pages of 1 MiB`);
  const next = await post(url, 'application/json', '{"n":26}');
  const rest = [];
  const more = open(url).history(past.offset);
  for await (const { n } of more) rest.push(n);
  assert.deepEqual([rest, more.offset], [[26], next]);
});

test('all that one Stream does is done over one WebSocket', limit, async () => {
  const url = shared.url + freshPath();
  await post(url, 'application/json', '[1]');
  const stream = open(url, { type: 'application/json' }, ({ WebSocket, seen }) => {
    Object.assign(seen, { now: 0, most: 0, total: 0 });
    return {
      WebSocket: class extends WebSocket {
        constructor(...args) {
          super(...args);
          seen.total++;
          seen.most = Math.max(seen.most, ++seen.now);
          this.addEventListener('close', () => seen.now--);
        }
      },
    };
  });
  const told = listen(stream, { offset: '-1' });
  await told.state('live');
  const present = stream.presence(() => {}, { data: {} });
  const again = listen(stream, { offset: '-1' });
  await again.count(1);
  await Promise.all(range(2, 50).map((n) => stream.publish(n)));
  await told.count(50);
  await again.count(50);
  assert.deepEqual([told.values, again.values], [range(1, 50), range(1, 50)]);
  const { total } = await stream.seen();
  assert.ok(total <= 3, `${total}: one more for presence, one more for the past`);
  await until(async () => (await stream.seen()).now === 1, 'the former ones to close');
  assert.ok((await stream.seen()).most <= 3);
  present.close();
  told.sub.close();
  again.sub.close();
  stream.close();
  await until(async () => (await stream.seen()).now === 0, 'no WebSocket');
});

test('subscribers of one Stream begin where each wants to, and end one by one', limit, async () => {
  for (const door of doors) {
    const url = shared.url + freshPath();
    const second = (await post(url, 'application/json', '[1]'), await post(url, 'application/json', '[2]'));
    await post(url, 'application/json', '[3]');
    const stream = open(url, { doors: [door] });
    const all = [listen(stream, { offset: '-1' }), listen(stream, { offset: second }), listen(stream), listen(stream, { last: 1 })];
    for (const told of all) await told.state('live');
    await all[0].count(3);
    await post(url, 'application/json', '[4]');
    for (const told of all) await until(() => told.values.includes(4), `4 by ${door}`);
    await all[1].sub.close();
    await post(url, 'application/json', '[5]');
    for (const told of [all[0], all[2], all[3]]) await until(() => told.values.includes(5), `5 by ${door}`);
    assert.deepEqual(all.map(({ values }) => values), [range(1, 5), [3, 4], [4, 5], [3, 4, 5]], door);
    stream.close();
    for (const told of all) await told.state('stopped');
    assert.deepEqual(all.map(({ sub }) => sub.state), Array(4).fill('stopped'));
    await assert.rejects(stream.publish(1), { code: 'stopped' });
    for (const method of ['subscribe', 'presence'])
      await assert.rejects(stream.run((s, name) => void s[name](() => {}), method), { code: 'stopped' });
  }
});

test('a callback that throws takes nothing from the others', limit, () => uncaught(async (faults) => {
  const url = shared.url + freshPath();
  const stream = open(url, { type: 'application/json' });
  await stream.run((s) => void s.subscribe(() => { throw new Error('mine'); }, { offset: '-1' }));
  const told = listen(stream, { offset: '-1' });
  await post(url, 'application/json', '[1,2]');
  await told.count(2);
  await until(() => faults().length === 2, 'the reports');
  assert.deepEqual(faults().map(({ message }) => message), ['mine', 'mine']);
}));

// ---- presence ------------------------------------------------------------------------------------------

test('presence: who is there already, who comes, who says something new, who leaves', limit, async () => {
  const url = shared.url + freshPath();
  const [ann, bob] = [open(url), open(url)];
  const heard = [];
  const a = ann.presence(({ members, count, join, leave }) =>
    heard.push({ all: Object.fromEntries(members), count, join: join.map(({ id }) => id), leave }), { id: 'ann', data: { mood: 'fine' } });
  await until(() => heard.at(-1)?.count === 1, 'ann');
  const seen = [];
  const b = bob.presence(({ members }) => seen.push([...members.keys()].sort().join()), { id: 'bob' });
  await until(() => seen.at(-1) === 'ann,bob', 'bob to see both');
  await until(() => heard.at(-1).count === 2, 'ann to see bob');
  b.update({ mood: 'curious' });
  await until(() => heard.at(-1).all.bob?.mood === 'curious', 'his mood');
  b.close();
  await until(() => heard.at(-1).leave.includes('bob'), 'bob to leave');
  assert.deepEqual(heard.at(-1), { all: { ann: { mood: 'fine' } }, count: 1, join: [], leave: ['bob'] });
  assert.deepEqual(heard.flatMap(({ join }) => join), ['ann', 'bob', 'bob'], 'each once, and his mood');
  assert.equal(a.id, 'ann');
});

test('presence: without a WebSocket one sees and is not seen', limit, async () => {
  const url = shared.url + freshPath();
  await post(url, 'application/json', '[1]');
  const ann = open(url);
  const there = [];
  ann.presence(({ count }) => there.push(count), { id: 'ann' });
  await until(() => there.at(-1) === 1, 'ann');
  const seen = [];
  open(url, { doors: ['sse'] }).presence(({ members }) => seen.push([...members.keys()]));
  await until(() => seen.length > 0, 'the list');
  assert.deepEqual(seen[0], ['ann']);
  await pause(50);
  assert.deepEqual(there, [1]);
});

// examples/echo, the program that conformance tests and benchmarks drive, with npm's ws.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { request, serveEcho } from './helper.mjs';
import { limit, sharedServer, wsClient } from './scenes.mjs';

const shared = sharedServer(() => serveEcho('--message-max', String(8 << 20)));
const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 4 << 20];

for (const [name, options] of [
  ['plain', { perMessageDeflate: false }],
  ['deflate', { perMessageDeflate: { threshold: 0 } }],
  ['deflate without context takeover', {
    perMessageDeflate: { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true },
  }],
  ['deflate with a 10 bit window', { perMessageDeflate: { threshold: 0, clientMaxWindowBits: 10, serverMaxWindowBits: 10 } }],
]) {
  test(`echo, ${name}: messages of ${sizes.length} sizes come back, text as text, binary as binary`, limit, async () => {
    const client = await wsClient(options).connect(`${shared.ws}/any/path`);
    assert.equal(client.extensions === '', options.perMessageDeflate === false);
    for (const size of sizes) {
      const text = 'abcdefghij'.repeat(size / 10 + 1).slice(0, size);
      client.send(text);
      assert.ok((await client.inbox.take()) === text, `text of ${size}`);
      const bytes = randomBytes(size);
      client.send(bytes);
      const got = await client.inbox.take();
      assert.ok(Buffer.isBuffer(got) && got.equals(bytes), `binary of ${size}`);
    }
    client.close();
  });

  test(`echo, ${name}: 1000 messages in flight come back in order`, limit, async () => {
    const client = await wsClient(options).connect(shared.ws);
    const sent = Array.from({ length: 1000 }, (_, i) => `${i}:${'#'.repeat(i % 300)}`);
    for (const text of sent) client.send(text);
    assert.deepEqual(await client.inbox.takeAll(1000), sent);
    client.close();
  });
}

test('echo: a fragmented message comes back whole', limit, async () => {
  const { socket, inbox, close } = await wsClient().connect(shared.ws);
  for (const part of ['frag', 'ment', 'ed ']) socket.send(part, { fin: false });
  socket.ping('between');
  socket.send('message', { fin: true });
  assert.equal(await inbox.take(), 'fragmented message');
  close();
});

test('echo: a message above --message-max ends with 1009', limit, async () => {
  const server = await serveEcho('--message-max', '1000');
  const client = await wsClient({ perMessageDeflate: false }).connect(server.ws);
  client.send('x'.repeat(1000));
  assert.equal((await client.inbox.take()).length, 1000);
  client.send('x'.repeat(1001));
  await assert.rejects(client.inbox.take());
  assert.equal(client.inbox.ended.code, 1009);
  await server.stop();
});

test('echo: a message that inflates above --message-max ends with 1009', limit, async () => {
  const server = await serveEcho('--message-max', '10000');
  const client = await wsClient({ perMessageDeflate: { threshold: 0 } }).connect(server.ws);
  client.send('x'.repeat(1_000_000));
  await assert.rejects(client.inbox.take());
  assert.equal(client.inbox.ended.code, 1009);
  await server.stop();
});

test('echo --no-deflate: compression is not negotiated', limit, async () => {
  const server = await serveEcho('--no-deflate');
  const client = await wsClient({ perMessageDeflate: true }).connect(server.ws);
  assert.equal(client.extensions, '');
  client.send('plain');
  assert.equal(await client.inbox.take(), 'plain');
  client.close();
  await server.stop();
});

test('echo: every HTTP request gets 200', limit, async () => {
  for (const path of ['/', '/a/b?c=d']) assert.equal((await request(shared.url + path)).status, 200);
});

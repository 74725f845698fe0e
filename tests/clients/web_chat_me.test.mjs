// Who can read a private message of the chat: its keys, without a browser and a server.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../web/chat/me.js', import.meta.url), 'utf8');

globalThis.localStorage = { getItem: () => null, setItem() {} };
const { Me } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

test('a letter is for two; it is not sealed with a key that only says whose it is', async () => {
  const [anna, ben, eve] = await Promise.all([Me.load(), Me.load(), Me.load()]);
  const letter = await anna.seal(ben.key, ben.id, { text: 'for you' });
  assert.equal((await ben.open(letter)).content.text, 'for you');
  assert.equal((await ben.open(letter)).id, anna.id);
  assert.equal((await anna.open(letter)).id, ben.id);
  assert.equal(await eve.open(letter), null);
  await assert.rejects(anna.seal(eve.key, ben.id, { text: 'for ben' }), /not theirs/);
});

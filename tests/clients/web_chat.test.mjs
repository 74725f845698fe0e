// The chat in Chromium: two people who share nothing but the server.
// Is:     history, presence, typing, unread, private messages, HTML as text; a line that is cut, and a server that is
//         killed while messages are on their way: nothing is lost, nothing doubled.
// Is not: the pages' looks (web.test.mjs).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { duplex, request, Server } from './helper.mjs';
import { visit } from './pages.mjs';

const limit = { timeout: 180_000 };
const excused = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|WebSocket connection to/;
let server;
let directory;

async function start(port = 0) {
  server = await Server.start(duplex, ['serve', '--listen', `127.0.0.1:${port}`, '--no-memory', '--data', `${directory}/data`]);
  server.kept = true; // until the hook below stops it
}

before(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-chat-'));
  await start();
}, limit);
after(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

// Somebody who came in and gave a name.
async function enter(name, room = 'lobby', options = {}) {
  const person = await visit(`${server.url}/chat/#room/${room}`, options);
  await person.says('#title', new RegExp(`^#${room}$`));
  await person.says('#state', /^Live/);
  await person.page.fill('#name', name);
  await person.page.press('#name', 'Enter');
  return Object.assign(person, {
    name,
    async say(text) {
      await person.page.fill('#words', text);
      await person.page.press('#words', 'Enter');
    },
    // Texts of the messages that are shown, in order.
    log: () => person.page.locator('#log li p').allTextContents(),
    async hears(text) {
      await person.becomes(`${name} sees "${text}"`, (t) => [...document.querySelectorAll('#log li p')].some((p) => p.textContent === t), text, 30_000);
    },
    open: (text) => person.page.click(`.side li button:has-text("${text}")`),
    // All that is shown is on the server.
    settles: () => person.becomes('all is sent', () => !document.querySelector('#log li[data-state="sending"]'), null, 60_000),
  });
}

const numbered = (who, from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${who} ${from + i}`);

test('two people talk; who comes later reads what was said', limit, async () => {
  const [ada, bob] = [await enter('Ada', 'talk'), await enter('Bob', 'talk')];
  await ada.say('hello, Bob');
  await bob.hears('hello, Bob');
  await bob.say('hello, Ada');
  await ada.hears('hello, Ada');
  const eve = await enter('Eve', 'talk');
  await eve.hears('hello, Ada');
  for (const person of [ada, bob, eve]) assert.deepEqual(await person.log(), ['hello, Bob', 'hello, Ada']);
  assert.deepEqual(await eve.page.locator('#log li b').allTextContents(), ['Ada', 'Bob']);
  for (const person of [ada, bob, eve]) await person.leave();
});

test('one sees who is there, in which room, and who types', limit, async () => {
  const [ada, bob] = [await enter('Ada', 'there'), await enter('Bob', 'there')];
  await ada.says('#people', /Bobin #there/);
  await bob.says('#people', /Adain #there/);
  await bob.page.type('#words', 'I am thinking about');
  await ada.says('#typing', /^Bob is typing…$/);
  await bob.page.fill('#words', '');
  await ada.says('#typing', /^$/);
  await bob.open('#ideas');
  await ada.says('#people', /Bobin #ideas/);
  await bob.leave();
  await ada.says('#people', /^(?!.*Bob)/);
  await ada.leave();
});

test('what was not read is counted, also after coming back', limit, async () => {
  const [ada, bob] = [await enter('Ada', 'here'), await enter('Bob', 'ideas')];
  for (const text of ['one', 'two', 'three']) await bob.say(text);
  await ada.says('#rooms', /#ideas3 unread/);
  assert.match(await ada.page.title(), /^\(3\)/);
  await ada.open('#ideas');
  await ada.hears('three');
  await ada.says('#rooms', /^(?!.*unread)/);
  await ada.open('#lobby');
  await bob.say('four');
  await ada.says('#rooms', /#ideas1 unread/);
  await ada.page.reload();
  await ada.says('#rooms', /#ideas1 unread/);
  await ada.leave();
  await bob.leave();
});

test('a private message is for two: nobody else can read it, and it waits for who is away', limit, async () => {
  const [ada, bob, eve] = [await enter('Ada', 'private'), await enter('Bob', 'private'), await enter('Eve', 'private')];
  await ada.open('Bob');
  await ada.says('#title', /^Bob$/);
  await ada.say('between us: swordfish');
  await ada.settles();
  await bob.says('#people', /Ada.*1 unread/);
  await bob.open('Ada');
  await bob.hears('between us: swordfish');
  await bob.page.type('#words', 'Well');
  await ada.says('#typing', /^Bob is typing…$/);
  await bob.say('Well, well');
  await ada.hears('Well, well');
  assert.equal(await eve.page.locator('.unread').count(), 0);
  const id = await bob.page.evaluate(async () => {
    const { Me } = await import('/chat/me.js');
    return (await Me.load()).id;
  });
  const inbox = await request(`${server.url}/s/chat/inbox/${id}?offset=-1`);
  assert.equal(JSON.parse(inbox.body).length, 2);
  assert.doesNotMatch(inbox.body.toString(), /swordfish|Well|Ada/, 'whoever reads the stream sees boxes');
  // What Eve makes up, in Ada's name but with her own key, is hers.
  const read = await eve.page.evaluate(async (letters) => {
    const { Me } = await import('/chat/me.js');
    const me = await Me.load();
    return Promise.all(letters.map((letter) => me.open(letter)));
  }, JSON.parse(inbox.body));
  assert.deepEqual(read, [null, null]);
  await bob.page.goto('about:blank');
  await ada.says('#people', /Bobaway/);
  await ada.say('until later');
  await ada.settles();
  await bob.page.goto(`${server.url}/chat/`);
  await bob.says('#people', /Ada.*1 unread/);
  await bob.open('Ada');
  await bob.hears('until later');
  assert.deepEqual(await bob.log(), ['between us: swordfish', 'Well, well', 'until later']);
  for (const person of [ada, eve]) await person.leave();
  await bob.page.context().close();
});

test('HTML in names, messages and rooms is text; a message of anybody’s program cannot break the page', limit, async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const [ada, bob] = [await enter('Ada', 'html'), await enter(evil.slice(0, 24), 'html')];
  await bob.say(`${evil}<script>alert(2)</script>`);
  await ada.hears(`${evil}<script>alert(2)</script>`);
  await ada.says('#people', /<img src=x/);
  for (const body of ['17', '"text"', 'null', '[[]]', '{"id":1,"text":2}', '{"id":"a","text":"no name or time"}', '{"id":"b","text":"bad","at":"x","name":{}}'])
    assert.equal((await request(`${server.url}/s/chat/room/html`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).status, 204);
  await ada.say('still here');
  await bob.hears('still here');
  for (const person of [ada, bob]) {
    assert.equal(await person.page.locator('main img, main script').count(), 0);
    await person.leave();
  }
});

test('a new room is there for all; keys are enough', limit, async () => {
  const [ada, bob] = [await enter('Ada'), await enter('Bob')];
  await ada.page.focus('#room');
  await ada.page.keyboard.type('Über uns!');
  await ada.page.keyboard.press('Enter');
  await ada.says('#title', /^#über-uns$/);
  await ada.page.keyboard.type('typed without a mouse');
  await ada.page.keyboard.press('Enter');
  await bob.says('#rooms', /#über-uns1 unread/);
  await bob.page.focus('#rooms button:has-text("über")');
  await bob.page.keyboard.press('Enter');
  await bob.hears('typed without a mouse');
  await ada.leave();
  await bob.leave();
});

test('a cut line loses nothing: what was written on both sides arrives when it is mended', limit, async () => {
  const [ada, bob] = [await enter('Ada', 'cut'), await enter('Bob', 'cut')];
  await ada.say('Ada 1');
  await bob.hears('Ada 1');
  for (let cut = 1; cut <= 3; cut++) {
    await ada.page.click('#cut');
    await ada.says('#state', /You have cut the line/);
    await ada.say(`Ada ${2 * cut}`);
    await bob.say(`Bob ${cut}`);
    await bob.settles();
    await ada.say(`Ada ${2 * cut + 1}`);
    assert.equal(await ada.page.locator('#log [data-state="sending"]').count(), 2);
    assert.ok(!(await ada.log()).includes(`Bob ${cut}`), 'the line is cut');
    await ada.page.click('#cut');
    await ada.hears(`Bob ${cut}`);
    await bob.hears(`Ada ${2 * cut + 1}`);
    await ada.settles();
  }
  const [atAda, atBob] = [await ada.log(), await bob.log()];
  assert.deepEqual(atAda, atBob, 'both see one order');
  assert.deepEqual(atBob.filter((text) => /Ada/.test(text)), numbered('Ada', 1, 7));
  assert.deepEqual(atBob.filter((text) => /Bob/.test(text)), numbered('Bob', 1, 3));
  await ada.leave();
  await bob.leave();
});

test('the server is killed with messages on their way: nothing is lost, nothing doubled', limit, async () => {
  const people = [await enter('Ada', 'kill', { excused }), await enter('Bob', 'kill', { excused })];
  const [ada, bob] = people;
  for (const person of people) await person.say(`${person.name} 1`);
  for (let life = 1; life <= 3; life++) {
    const talking = people.map(async (person) => {
      for (const text of numbered(person.name, 10 * life - 8, 10 * life + 1)) {
        await person.say(text);
        await person.page.waitForTimeout(15);
      }
    });
    await ada.page.waitForTimeout(40 * life);
    server.kill('SIGKILL');
    await server.ended;
    await Promise.all(talking);
    await ada.says('#state', /No answer|restarting/);
    await start(server.port);
    for (const person of people) {
      await person.says('#state', /^Live/, 60_000);
      await person.settles();
    }
    await ada.hears(`Bob ${10 * life + 1}`);
    await bob.hears(`Ada ${10 * life + 1}`);
  }
  const kept = JSON.parse((await request(`${server.url}/s/chat/room/kill?offset=-1`)).body).map(({ text }) => text);
  for (const { name } of people) assert.deepEqual(kept.filter((text) => text.startsWith(name)), numbered(name, 1, 31));
  for (const person of people) assert.deepEqual(await person.log(), kept, 'and everybody sees it so');
  await ada.says('#people', /Bobin #kill/, 30_000); // and each other
  for (const person of people) await person.leave();
});

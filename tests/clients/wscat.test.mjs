// wscat, run as a user would run it in a pipe.
// SPDX-License-Identifier: MIT
import path from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { freshPath, here, historyBecomes, Inbox, post, Program } from './helper.mjs';
import { limit, playWebSocket, sharedServer } from './scenes.mjs';

const shared = sharedServer();
const script = path.join(here, 'node_modules/wscat/bin/wscat');
const start = (...args) => new Program(process.execPath, [script, ...args]);

// In a pipe wscat prints messages alone, with its prompt before them; that it is connected it does
// not say. So it asks for pongs to be shown, and its own ping is answered by the server.
const client = {
  textOnly: true,
  async connect(url) {
    const program = start('--slash', '--show-ping-pong', '--connect', url);
    const inbox = new Inbox();
    const marker = 'Received pong (data: "connected")';
    let connected;
    const open = new Promise((resolve) => (connected = resolve));
    (async () => {
      try {
        for (;;) {
          const line = (await program.lines.take()).replace(/^(> )+/, '');
          if (line === marker) connected();
          else inbox.push(line);
        }
      } catch {
        inbox.end(program.err || 'wscat ended');
      }
    })();
    const knock = setInterval(() => program.write('/ping connected\n'), 20); // lost until it is open
    await Promise.race([open, program.ended.then(() => assert.fail(`wscat ended: ${program.err}`))]);
    clearInterval(knock);
    return {
      inbox,
      send: (text) => program.write(`${text}\n`),
      async close() {
        program.write('/close 1000\n');
        assert.equal(await program.exit(), 0);
      },
    };
  },
};

playWebSocket('wscat', client, shared);

test('wscat -x: sends one message and leaves', limit, async () => {
  const name = freshPath();
  const program = start('--connect', shared.ws + name, '-x', 'sent by wscat -x', '-w', '0.2');
  assert.equal(await program.exit(), 0);
  await historyBecomes(shared.url + name, 'sent by wscat -x');
});

test('wscat -w: prints history and leaves', limit, async () => {
  const name = freshPath();
  await post(shared.url + name, 'text/plain', 'already there');
  const program = start('--connect', `${shared.ws}${name}?offset=-1`);
  assert.equal((await program.lines.take()).replace(/^(> )+/, ''), 'already there');
  program.child.stdin.end();
  await program.exit();
});

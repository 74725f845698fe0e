// Python: websockets (Debian's package) and http.client.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { freshPath, here, Inbox, Program, run } from './helper.mjs';
import { limit, playHttp, playWebSocket, sharedServer } from './scenes.mjs';

const shared = sharedServer();
const python = '/usr/bin/python3';

const pythonClient = (compression) => ({
  async connect(url) {
    const program = new Program(python, [path.join(here, 'websocket_driver.py'), url, compression]);
    const opened = JSON.parse(await program.lines.take());
    assert.ok(opened.open, JSON.stringify(opened));
    const inbox = new Inbox();
    const pongs = new Inbox();
    const tell = (order) => program.write(`${JSON.stringify(order)}\n`);
    (async () => {
      for (;;) {
        const event = JSON.parse(await program.lines.take(60_000));
        if ('text' in event) inbox.push(event.text);
        else if ('base64' in event) inbox.push(Buffer.from(event.base64, 'base64'));
        else if ('pong' in event) pongs.push(event);
        else inbox.end({ code: event.closed });
      }
    })().catch((why) => (inbox.end(why.message), pongs.end(why.message)));
    return {
      inbox, pongs, tell,
      extensions: opened.open,
      send: (data) => tell(typeof data === 'string' ? { text: data } : { base64: data.toString('base64') }),
      async close() {
        tell({ close: 1000 });
        assert.equal(await program.exit(), 0, program.err);
        assert.equal(inbox.ended.code, 1000, 'a clean close');
      },
    };
  },
});

playWebSocket('Python websockets', pythonClient('plain'), shared);
playWebSocket('Python websockets with deflate', pythonClient('deflate'), shared);

test('Python websockets: compression is used when asked for, and only then', limit, async () => {
  const compressed = await pythonClient('deflate').connect(shared.ws + freshPath());
  const plain = await pythonClient('plain').connect(shared.ws + freshPath());
  assert.deepEqual([compressed.extensions, plain.extensions], [['permessage-deflate'], []]);
  await compressed.close();
  await plain.close();
});

test('Python websockets: a ping is answered', limit, async () => {
  const socket = await pythonClient('plain').connect(shared.ws + freshPath());
  socket.tell({ ping: 'x'.repeat(125) });
  await socket.pongs.take();
  await socket.close();
});

async function pythonHttp(args, input) {
  const { code, out, err } = await run(python, [path.join(here, 'http_driver.py'), ...args], input);
  assert.equal(code, 0, err);
  const { status, headers, body } = JSON.parse(out);
  return {
    status, body, type: headers['content-type'], next: headers['stream-next-offset'],
    upToDate: headers['stream-up-to-date'],
  };
}

playHttp('Python http.client', {
  post: (url, type, body) => pythonHttp([url, 'POST', type], body),
  get: (url) => pythonHttp([url, 'GET']),
}, shared);

// What is not to be kept any more leaves the disk, also of streams that nobody uses, and its space is used again.
// Is:     age, lifetimes and lower bounds after a kill; a database that does not grow with what went through it.
// Is not: who is told what of it (src/serve/test_door_*.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { duplex, request, run, serve } from './helper.mjs';

const limit = { timeout: 240_000 };

function directory(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-kept-'));
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

async function serveWith(at, namespaces) {
  const config = path.join(at, 'duplex.yaml');
  fs.writeFileSync(config, `namespaces:\n${namespaces.map((line) => `  - {${line}, durability: disk, access: {default: anyone}}\n`).join('')}`);
  return serve('--config', config, '--no-memory', '--data', path.join(at, 'data'));
}

async function publish(url, body, headers = {}, method = 'POST') {
  const answer = await request(url, { method, headers: { 'Content-Type': 'text/plain', ...headers }, body });
  assert.ok([201, 204].includes(answer.status), `${answer.status} ${answer.body}`);
}

// What the directory holds: [[path, messages], …].
async function held(at) {
  const { code, out, err } = await run(duplex, ['export', path.join(at, 'data')]);
  assert.equal(code, 0, err);
  const streams = [];
  for (const line of out.trimEnd().split('\n').map((text) => JSON.parse(text))) {
    if (line.stream) streams.push([line.stream, 0]);
    if (line.offset) streams.at(-1)[1]++;
  }
  return streams;
}

test('streams that nobody uses end and lose what is not to be kept, after a kill, too', limit, async (t) => {
  const at = directory(t);
  let server = await serveWith(at, ['prefix: /aged/', 'prefix: /count/', 'prefix: /ends/, creation: put', 'prefix: /stays/']);
  for (let n = 0; n < 5; n++)
    for (const name of ['aged/a', 'count/a', 'stays/a']) await publish(`${server.url}/${name}`, `message ${n}`);
  for (let n = 0; n < 20; n++) await publish(`${server.url}/ends/${n}`, 'message', { 'Stream-TTL': '1' }, 'PUT');
  await publish(`${server.url}/ends/until`, 'message', { 'Stream-Expires-At': new Date(Date.now() + 1000).toISOString() }, 'PUT');
  server.kill('SIGKILL');
  await server.exit();
  assert.equal((await held(at)).length, 24);

  server = await serveWith(at, ['prefix: /aged/, kept: {age: 1s}', 'prefix: /count/, kept: {count: 2}', 'prefix: /ends/, creation: put', 'prefix: /stays/']);
  const expected = [['/aged/a', 0], ['/count/a', 2], ['/stays/a', 5]];
  const until = Date.now() + 60_000;
  for (;;) {
    const streams = (await held(at)).sort();
    if (JSON.stringify(streams) === JSON.stringify(expected)) break;
    assert.ok(Date.now() < until, `still there: ${JSON.stringify(streams)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await server.stop();
});

test('a database does not grow with what went through it', limit, async (t) => {
  const at = directory(t);
  const server = await serveWith(at, ['prefix: /s/, kept: {bytes: 1MiB}, message_max: 1MiB']);
  const body = 'x'.repeat(1_000_000);
  const size = () => fs.statSync(path.join(at, 'data', 'duplex.db')).size;
  const send = async (count) => {
    for (let n = 0; n < count; n += 4)
      await Promise.all([0, 1, 2, 3].map((stream) => publish(`${server.url}/s/${stream}`, body)));
  };
  await send(160);
  const before = size();
  await send(480);
  const after = size();
  t.diagnostic(`${before >> 20} MiB after 160 MB, ${after >> 20} MiB after 640 MB`);
  assert.ok(after < 160 << 20, `${after} bytes for streams of 1 MiB`);
  await server.stop();
  const { out } = await run(duplex, ['verify', path.join(at, 'data')]);
  assert.match(out, / 0 faults/);
});

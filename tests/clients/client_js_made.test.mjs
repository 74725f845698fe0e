// What clients/js is made of: what a page loads, how large it is, and its types. In Node.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import vm from 'node:vm';
import zlib from 'node:zlib';
import WebSocket from 'ws';
import { here, root, Stream } from './client_js.mjs';
import { freshPath } from './helper.mjs';
import { limit, sharedServer } from './scenes.mjs';

const shared = sharedServer();

const made = ['duplex.js', 'duplex.classic.js'];

test('what is in clients/js is what make.mjs makes of src/', limit, () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-make-'));
  try {
    execFileSync(process.execPath, [path.join(root, 'make.mjs'), directory]);
    for (const name of made)
      assert.equal(fs.readFileSync(path.join(root, name), 'utf8'), fs.readFileSync(path.join(directory, name), 'utf8'),
        `${name} is old: run node clients/js/make.mjs`);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test('a page loads at most 6 KB, compressed: 6000 bytes', limit, () => {
  for (const name of made) {
    const size = zlib.gzipSync(fs.readFileSync(path.join(root, name)), { level: 9 }).length;
    assert.ok(size > 3000 && size <= 6000, `${name}: ${size} bytes`);
  }
});

test('src/ and the two files do the same: Stream and DuplexError, and nothing else', limit, async () => {
  const context = vm.createContext({ URL, WebSocket, fetch, EventTarget, AbortController, AbortSignal, setTimeout, clearTimeout,
    setInterval, clearInterval, crypto: globalThis.crypto, TextEncoder, TextDecoder });
  vm.runInContext(fs.readFileSync(path.join(root, 'duplex.classic.js'), 'utf8'), context);
  const source = await import('../../clients/js/src/stream.js');
  const module = await import('../../clients/js/duplex.js');
  const url = shared.url + freshPath();
  let n = 0;
  for (const { Stream: Made, DuplexError: Fault, ...rest } of [source, module, context.Duplex]) {
    assert.deepEqual(rest, {});
    assert.deepEqual([Made.name, Fault.name], ['Stream', 'DuplexError']);
    const stream = new Made(url, { WebSocket });
    await stream.publish({ n: ++n });
    assert.equal((await stream.last())[0].n, n);
    const error = await new Made(`${shared.url}/s/none`).last().catch((e) => e);
    assert.ok(error instanceof Fault && error.code === 'not_found');
    stream.close();
  }
});

test('the types are those of what is there, checked by TypeScript', { timeout: 120_000 }, () => {
  const tsc = path.join(here, 'node_modules/typescript/bin/tsc');
  const args = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom'];
  try {
    execFileSync(process.execPath, [tsc, ...args, path.join(here, 'client_js_types.ts')], { cwd: here });
  } catch (error) {
    assert.fail(String(error.stdout));
  }
  const members = Object.getOwnPropertyNames(Stream.prototype).filter((name) => name !== 'constructor').sort();
  const types = fs.readFileSync(path.join(root, 'index.d.ts'), 'utf8').split('export class Stream')[1];
  assert.deepEqual([...types.matchAll(/^ {2}(?:readonly )?(?!constructor)(\w+)[(<:]/gm)].map(([, name]) => name).sort(), members);
});

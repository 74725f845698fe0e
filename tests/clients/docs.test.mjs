// What README.md and docs/ tell people to type is typed here, as it stands, in the order it stands.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { build, duplex, serve, within } from './helper.mjs';
import { limit } from './scenes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const shell = promisify(execFile);

// The fenced blocks of one language, in order.
function blocks(file, language) {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(new RegExp('^```' + language + '\\n(.*?)^```', 'gms'))].map((found) => found[1]);
}

const documents = ['README.md', ...fs.readdirSync(path.join(root, 'docs')).map((name) => `docs/${name}`)]
  .filter((file) => file.endsWith('.md') && blocks(file, 'sh').length > 0);
assert.ok(documents.length >= 3);

for (const file of documents) {
  test(`${file}: its commands work as they stand`, limit, async () => {
    const server = await serve('--admin', '127.0.0.1:0');
    const [, admin] = await server.says(/admin on http:\/\/([^\s"]+)/);
    try {
      for (const block of blocks(file, 'sh')) {
        const command = block.replaceAll('127.0.0.1:4437', new URL(server.url).host).replaceAll('127.0.0.1:4438', admin)
          .replaceAll('build/duplex', path.relative(root, duplex));
        const { stdout } = await shell('sh', ['-euc', command], { cwd: root, timeout: 20000 });
        assert.doesNotMatch(stdout, /about:blank/, `no problem in the answer to ${block}`);
      }
    } finally {
      await server.stop();
    }
  });
}

test('README.md: curl and duplex sub see the message that was published', limit, async () => {
  const server = await serve();
  try {
    const command = blocks('README.md', 'sh')[0].replaceAll('127.0.0.1:4437', new URL(server.url).host)
      .replaceAll('build/duplex', path.relative(root, duplex));
    const { stdout } = await shell('sh', ['-euc', command], { cwd: root, timeout: 20000 });
    assert.equal(stdout, 'hellohello\n', 'once as history, once by WebSocket');
  } finally {
    await server.stop();
  }
});

test('README.md: the program compiles as it is told to, and serves', limit, async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-readme-'));
  const source = path.join(directory, 'app.c');
  const program = path.join(directory, 'app');
  const [text] = blocks('README.md', 'c');
  fs.writeFileSync(source, text.replace('127.0.0.1:8080', '127.0.0.1:0'));
  await shell('cc', [source, '-o', program, `-I${root}/include`, `-L${build}`, '-lduplex', `-Wl,-rpath,${build}`]
    .concat(build.endsWith('asan') ? ['-fsanitize=address,undefined'] : []));
  const child = spawn(program, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let log = '';
    child.stderr.on('data', (piece) => { log += piece; });
    const listening = async () => {
      while (!/listening on http:/.test(log)) await once(child.stderr, 'data');
      return /listening on (http:[^\s"]+)/.exec(log)[1];
    };
    const url = await within(listening(), 'its address');
    await shell('curl', ['-sSf', '-d', 'x', `${url}/live/a`]);
    const { stdout } = await shell('curl', ['-sSf', `${url}/live/a`]);
    assert.equal(stdout, 'x');
    const page = await shell('curl', ['-sSf', `${url}/app.c`]);
    assert.match(page.stdout, /dx_server_files/);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    fs.rmSync(directory, { recursive: true });
  }
});

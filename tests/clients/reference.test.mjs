// Man pages and completion are written from the tables of options: they render, they load, they complete.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { duplex, run } from './helper.mjs';
import { limit } from './scenes.mjs';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-reference-'));
after(() => fs.rmSync(scratch, { recursive: true }));

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const reference = async (...args) => {
  const { code, out, err } = await run(duplex, ['reference', ...args]);
  assert.equal(code, 0, err);
  return out;
};
const help = (await run(duplex, ['help'])).out;
const commands = [...help.matchAll(/^ {2}([a-z]+) {2}/gm)].map((found) => found[1]);

test('there is a man page for the program and for each command, and each option is in it', limit, async () => {
  assert.ok(commands.includes('serve') && commands.includes('sub'));
  const program = await reference('man');
  for (const name of commands) {
    assert.ok(program.includes(`duplex\\-${name}`), name);
    const page = await reference('man', name);
    const text = (await run(duplex, ['help', name])).out;
    for (const [, option] of text.matchAll(/^ {2}--(?:\[no-\])?([a-z0-9-]+)/gm))
      assert.ok(page.includes(`\\-\\-${option.replaceAll('-', '\\-')}`) || page.includes(`[no\\-]${option.replaceAll('-', '\\-')}`), `${name} --${option}`);
  }
});

test('the pages render without a warning', { ...limit, skip: has('groff') ? false : 'no groff here' }, async () => {
  for (const name of [undefined, ...commands]) {
    const page = await reference(...['man', name].filter(Boolean));
    const done = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-Kutf8'], { input: page, encoding: 'utf8' });
    assert.equal(done.stderr, '', `${name ?? 'duplex'}: ${done.stderr}`);
    assert.match(done.stdout.replace(/.\x08/g, ''), /SYNOPSIS/); // bold is typed twice
  }
});

test('bash completes commands, options and choices', limit, async () => {
  const file = path.join(scratch, 'duplex.bash');
  fs.writeFileSync(file, await reference('bash'));
  const complete = (...words) => {
    const script = `source ${file}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _duplex; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync('bash', ['--norc', '-euc', script], { encoding: 'utf8' });
    assert.equal(done.stderr, '');
    return done.stdout.trim().split('\n');
  };
  assert.deepEqual(complete('duplex', 'ser'), ['serve']);
  assert.deepEqual(complete('duplex', 'serve', '--wor'), ['--workers']);
  assert.deepEqual(complete('duplex', 'serve', '--loop', 'e'), ['epoll']);
  assert.deepEqual(complete('duplex', 'serve', '--no-def'), ['--no-deflate']);
});

test('zsh loads its completion', { ...limit, skip: has('zsh') ? false : 'no zsh here' }, async () => {
  const file = path.join(scratch, '_duplex');
  fs.writeFileSync(file, await reference('zsh'));
  const done = spawnSync('zsh', ['-fc', `autoload -U compinit; compinit -D -u; source ${file}; print $_comps[duplex]`], { encoding: 'utf8' });
  assert.equal(done.stderr, '');
  assert.equal(done.stdout, '_duplex\n');
});

test('fish completes commands and choices', { ...limit, skip: has('fish') ? false : 'no fish here' }, async () => {
  const file = path.join(scratch, 'duplex.fish');
  fs.writeFileSync(file, await reference('fish'));
  const complete = (line) => {
    const done = spawnSync('fish', ['--no-config', '-c', `source ${file}; complete -C '${line}'`], { encoding: 'utf8', env: { ...process.env, HOME: scratch } });
    assert.equal(done.stderr, '');
    return done.stdout.split('\n').filter(Boolean).map((found) => found.split('\t')[0]);
  };
  assert.deepEqual(complete('duplex ser'), ['serve']);
  assert.deepEqual(complete('duplex serve --loop e'), ['epoll']);
});

test('what is not known is refused', limit, async () => {
  for (const args of [['csh'], ['man', 'nothing'], []]) assert.equal((await run(duplex, ['reference', ...args])).code, 2, args.join(' '));
});

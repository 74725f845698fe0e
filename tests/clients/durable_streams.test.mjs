// Durable Streams: the public conformance suite and the public client, against `duplex serve`.
// Is:     each of the suite's cases as a test of its own; scenes with the client library.
// Is not: our own cases of the protocol (src/serve/test_door_*.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { here, serve, within } from './helper.mjs';

const wait_ms = 2000; // the server's long-poll: the suite waits for as long several times
const suite_ms = 240_000;

// The suite's runner wants Node.js 20; where this one is older, the one that npm brought is taken.
function node20() {
  if (Number(process.versions.node.split('.')[0]) >= 20) return process.execPath;
  const theirs = path.join(here, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  assert.ok(existsSync(theirs), `no Node.js 20 or newer: neither this one nor ${theirs}`);
  return theirs;
}

function runSuite(url, report) {
  const vitest = path.join(here, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--root', path.join(here, 'durable_streams'), '--reporter=json', `--outputFile=${report}`];
  const env = { ...process.env, DUPLEX_URL: url, DUPLEX_WAIT_MS: String(wait_ms), NODE_OPTIONS: '' };
  return new Promise((resolve) => {
    execFile(node20(), args, { env, timeout: suite_ms, maxBuffer: 64 << 20 }, (error, out, err) =>
      resolve({ error, said: out + err }),
    );
  });
}

// What the suite found on `server`, each case a test of its own.
async function judge(t, server, report) {
  const { error, said } = await within(runSuite(server.url, report), 'the suite', suite_ms + 5000);
  assert.ok(existsSync(report), `vitest wrote no report: ${error?.message} ${said.slice(-3000)}`);
  const results = JSON.parse(await readFile(report)).testResults.flatMap((file) => file.assertionResults);
  assert.ok(results.length >= 330, `only ${results.length} cases were run: ${said.slice(-3000)}`);
  for (const result of results) {
    const skip = ['pending', 'skipped', 'todo'].includes(result.status);
    await t.test(result.fullName, { skip }, () =>
      assert.equal(result.status, 'passed', result.failureMessages?.join('\n')),
    );
  }
}

const start = (...args) => serve('--wait', `${wait_ms}ms`, ...args);

test('Durable Streams 1.0, the public conformance suite: streams in memory', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-suite-'));
  const server = await start('--memory');
  try {
    await judge(t, server, path.join(directory, 'report.json'));
  } finally {
    await server.stop();
    await rm(directory, { recursive: true });
  }
});

test('Durable Streams 1.0, the public conformance suite: streams on disk, and again after a kill', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'duplex-suite-'));
  const data = ['--no-memory', '--data', path.join(directory, 'data')];
  let server = await start(...data);
  try {
    await judge(t, server, path.join(directory, 'first.json'));
    server.kill('SIGKILL');
    await server.ended;
    server = await start(...data);
    await judge(t, server, path.join(directory, 'second.json'));
  } finally {
    await server.stop();
    await rm(directory, { recursive: true });
  }
});

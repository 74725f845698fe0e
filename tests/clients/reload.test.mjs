// SIGHUP: the configuration and the certificates again, as a whole or not at all.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import { patience_ms, request, serve } from './helper.mjs';

const limit = { timeout: 3 * patience_ms };
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-reload-'));
after(() => fs.rmSync(directory, { recursive: true, force: true }));

async function serveWith(text) {
  const config = path.join(directory, 'duplex.yaml');
  fs.writeFileSync(config, text);
  return { config, server: await serve('--config', config) };
}

// Reads `text` as its configuration; waits until it says `pattern`.
async function reload({ server, config }, text, pattern) {
  fs.writeFileSync(config, text);
  server.err = '';
  server.kill('SIGHUP');
  return server.says(pattern);
}

test('what may change changes: the log level, the access log', limit, async () => {
  const again = await serveWith('access_log: off\n');
  await request(`${again.server.url}/nowhere`);
  await reload(again, 'access_log: errors\n', /configuration is loaded again/);
  assert.doesNotMatch(again.server.err, /needs a restart|nowhere/);
  await request(`${again.server.url}/nowhere`);
  await again.server.says(/"path":"\/nowhere","status":404/);
  await reload(again, 'access_log: errors\nlog_level: debug\n', /configuration is loaded again/);
  await again.server.stop();
});

test('what needs a restart is told in one line, and the rest changes', limit, async () => {
  const scene = await serveWith('workers: 1\n');
  await reload(scene, 'workers: 2\naccess_log: all\nnamespaces:\n  - prefix: /other/\n', /needs a restart, or SIGUSR2: workers, namespaces"/);
  await request(`${scene.server.url}/healthz`);
  await scene.server.says(/"path":"\/healthz"/);
  await scene.server.stop();
});

test('a file that is no good changes nothing, and the log says where', limit, async () => {
  const scene = await serveWith('access_log: off\n');
  await reload(scene, 'access_log: all\nworkers: many\n', /configuration stays as it was: [^"]*duplex\.yaml:2:10: workers/);
  await request(`${scene.server.url}/healthz`);
  fs.rmSync(scene.config);
  scene.server.kill('SIGHUP');
  await scene.server.says(/configuration stays as it was: [^"]*duplex\.yaml: No such file/);
  await scene.server.stop();
  assert.doesNotMatch(scene.server.err, /"msg":"request"/);
});

// The admin listener: where it is, who may use it.
// SPDX-License-Identifier: MIT
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Server, duplex, request, run } from './helper.mjs';

const configuration = 78;
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-admin-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
const file = (name, text) => {
  fs.writeFileSync(path.join(directory, name), text);
  return path.join(directory, name);
};

// A server with an admin listener: server.admin is its URL.
async function start(...args) {
  const server = await Server.start(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', ...args]);
  [, server.admin] = await server.says(/admin on ([^\s"]+)/);
  return server;
}

test('health and readiness are on the admin listener, streams are not', async () => {
  const server = await start('--admin', '127.0.0.1:0');
  for (const name of ['/healthz', '/readyz']) {
    const answer = await request(server.admin + name);
    assert.deepEqual([answer.status, answer.body.toString()], [200, '{"status":"ok"}']);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  }
  assert.equal((await request(`${server.admin}/live/x`, { method: 'POST', body: 'x' })).status, 404);
  assert.equal((await request(`${server.admin}/healthz`, { method: 'DELETE' })).status, 405);
  assert.equal((await request(`${server.url}/healthz`)).status, 200);
  await server.stop();
});

test('A31 pages of other sites cannot use the admin listener: Host and Origin are looked at', async () => {
  const server = await start('--admin', '127.0.0.1:0');
  const port = server.admin.match(/:(\d+)$/)[1];
  const ask = async (headers, method = 'GET') =>
    (await request(`${server.admin}/healthz`, { method, headers })).status;

  for (const host of ['localhost', `localhost:${port}`, 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.1.2.3:80', '[::1]'])
    assert.equal(await ask({ Host: host }), 200, host);
  for (const host of ['evil.example', `evil.example:${port}`, 'notlocalhost', 'localhost.evil.example', '127.0.0.1.evil.example',
    '128.0.0.1', '[::2]', '0.0.0.0', '10.0.0.1'])
    assert.equal(await ask({ Host: host }), 421, host);
  assert.equal(await ask({ Host: `localhost:${port}`, Origin: `http://localhost:${port}` }), 200);
  for (const origin of ['http://evil.example', 'null', 'http://localhost:1', `http://localhost.evil.example:${port}`, 'nonsense'])
    for (const method of ['GET', 'POST', 'OPTIONS'])
      assert.equal(await ask({ Host: `localhost:${port}`, Origin: origin }, method), 403, `${method} ${origin}`);
  await server.stop();
});

test('with a token, who does not show it gets 401; health needs none', async () => {
  const token = 'a-token-of-visible-characters';
  const server = await start('--admin', '127.0.0.1:0', '--admin-token-file', file('token', `${token}\n`));
  assert.equal((await request(`${server.admin}/healthz`, { headers: { Host: 'node7.example' } })).status, 200);
  assert.equal((await request(`${server.admin}/readyz`, { headers: { Origin: 'http://evil.example' } })).status, 403);
  await server.stop();
});

test('others than this machine can reach it with a token only', async () => {
  for (const address of ['0.0.0.0:0', '*:0', '[::]:0']) {
    const refused = await run(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', '--admin', address]);
    assert.equal(refused.code, configuration);
    assert.match(refused.err, /--admin: .*needs --admin-token-file FILE/);
  }
  const server = await start('--admin', '0.0.0.0:0', '--admin-token-file', file('token', 'a-token-of-visible-characters'));
  const port = server.admin.match(/:(\d+)$/)[1];
  assert.equal((await request(`http://127.0.0.1:${port}/healthz`)).status, 200);
  await server.stop();
  for (const [name, text] of [['short', 'short'], ['two', 'a line that has blanks'], ['long', 'x'.repeat(513)], ['empty', '']]) {
    const refused = await run(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0',
      '--admin-token-file', file(name, text)]);
    assert.equal(refused.code, configuration, name);
    assert.match(refused.err, /--admin-token-file: .*16 to 512 visible characters/);
  }
  const missing = await run(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0',
    '--admin-token-file', path.join(directory, 'missing')]);
  assert.notEqual(missing.code, 0);
  assert.match(missing.err, /--admin-token-file: .*missing/);
});

test('an address in use: asked for, the server does not start; by default, it goes without and says so', async () => {
  const server = await start('--admin', '127.0.0.1:0');
  const taken = await run(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', '--admin', server.admin.replace('http://', '')]);
  assert.equal(taken.code, 1);
  assert.match(taken.err, /--admin: .*in use/);
  await server.stop();

  const holder = net.createServer().listen(4438, '127.0.0.1'); // unless somebody else has it, which does as well
  await new Promise((resolve) => holder.on('listening', resolve).on('error', resolve));
  const environment = { ...process.env };
  delete environment.DUPLEX_ADMIN;
  const without = new Server(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0'], { env: environment });
  await without.says(/listening on/);
  await without.says(/no admin listener: 127\.0\.0\.1:4438 is in use/);
  await without.stop();
  holder.close();

  const none = await Server.start(duplex, ['serve', '--memory', '--listen', '127.0.0.1:0', '--admin', 'none']);
  assert.doesNotMatch(none.err, /admin/);
  await none.stop();
});

test('a unix socket is for its owner and group, and is removed at the end', async () => {
  const socket = path.join(directory, 'admin.sock');
  const server = await start('--admin', `unix:${socket}`);
  assert.equal(fs.statSync(socket).mode & 0o007, 0);
  const answer = await request('http://anything/healthz', { socketPath: socket });
  assert.equal(answer.status, 200);
  await server.stop();
  assert.equal(fs.existsSync(socket), false);
});

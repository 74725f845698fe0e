// GET /metrics on the admin listener: what it says, and whether it is so.
// SPDX-License-Identifier: MIT
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Server, build, duplex, freshPath, post, request } from './helper.mjs';
import { limit } from './scenes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-metrics-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));

async function start(...args) {
  const server = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args]);
  [, server.admin] = await server.says(/admin on ([^\s"]+)/);
  return server;
}

async function text(server) {
  const answer = await request(`${server.admin}/metrics`);
  assert.equal(answer.status, 200, answer.body.toString());
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return answer.body.toString();
}

// A value by name with its labels as they are written; undefined if there is none.
async function value(server, name) {
  const line = (await text(server)).split('\n').find((found) => found.startsWith(`${name} `));
  return line && Number(line.slice(name.length + 1));
}

async function until(server, name, isGood) {
  for (let tries = 0; tries < 400; tries++) {
    const found = await value(server, name);
    if (isGood(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`${name} is ${await value(server, name)}`);
}

// Debian's promtool, without installing the service it comes with.
function promtool() {
  if (spawnSync('promtool', ['--version']).status === 0) return 'promtool';
  const place = path.join(build, 'promtool');
  const program = path.join(place, 'usr/bin/promtool');
  if (!fs.existsSync(program)) {
    fs.mkdirSync(place, { recursive: true });
    execFileSync('apt-get', ['download', 'prometheus'], { cwd: place, stdio: 'pipe', timeout: 60000 });
    const [archive] = fs.readdirSync(place).filter((name) => name.endsWith('.deb'));
    execFileSync('dpkg', ['-x', path.join(place, archive), place]);
    fs.rmSync(path.join(place, archive));
  }
  return program;
}

test('promtool finds nothing wrong with it', { timeout: 120000 }, async (t) => {
  let program;
  try {
    program = promtool();
  } catch (error) {
    t.skip(`no promtool: apt-get download prometheus failed: ${error.stderr ?? error}`);
    return;
  }
  const server = await start('--no-memory', '--data', path.join(directory, 'promtool'));
  await post(`${server.url}${freshPath()}`, 'text/plain', 'x');
  const check = (input) => spawnSync(program, ['check', 'metrics'], { input, encoding: 'utf8' });
  const metrics = await text(server);
  const verdict = check(metrics);
  assert.deepEqual([verdict.status, verdict.stdout, verdict.stderr], [0, '', '']);
  assert.notEqual(check(metrics.replace('# HELP duplex_streams ', '# HELP duplex_strands ')).status, 0, 'it can find something');
  await server.stop();
});

test('docs/operate.md has what it says, no more and no less', limit, async () => {
  const server = await start('--no-memory', '--data', path.join(directory, 'docs'));
  const lines = (await text(server)).split('\n');
  const rows = lines.filter((line) => line.startsWith('# HELP ')).map((line) => {
    const [, name, help] = line.match(/^# HELP (\S+) (.*)$/);
    const [, type] = lines.find((found) => found.startsWith(`# TYPE ${name} `)).match(/(\w+)$/);
    const labels = new Set(lines.filter((found) => found.startsWith(`${name}{`)).flatMap((found) => [...found.matchAll(/(\w+)="/g)].map((m) => m[1])));
    return `| \`${name}\` | ${type} | ${[...labels].sort().map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
  assert.ok(rows.length > 40);
  const documented = fs.readFileSync(path.join(root, 'docs/operate.md'), 'utf8').split('\n').filter((line) => /^\| `(duplex|process)_\w+` \| (counter|gauge|histogram) /.test(line));
  assert.deepEqual(documented, rows);
  await server.stop();
});

test('what happens is counted: connections, answers by door, messages, time to the socket, refusals', limit, async () => {
  const server = await start('--memory', '--workers', '2');
  const name = freshPath();
  const socket = new WebSocket(`${server.ws}${name}`);
  const got = [];
  socket.on('message', (data) => got.push(data));
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  for (let i = 0; i < 5; i++) await post(server.url + name, 'text/plain', `message ${i}`);
  while (got.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await value(server, 'duplex_connections{kind="websocket"}'), 1);
  assert.equal(await value(server, 'duplex_published_messages_total'), 5);
  assert.equal(await value(server, 'duplex_delivered_messages_total'), 5);
  assert.equal(await value(server, 'duplex_subscribers{state="live"}'), 1);
  assert.equal(await value(server, 'duplex_http_responses_total{door="publish",status="2xx"}'), 5);
  const times = await until(server, 'duplex_delivery_seconds_count', (found) => found >= 1);
  assert.ok(times <= 5, 'at most once for each time that it was brought up to date');
  assert.ok(await value(server, 'duplex_delivery_seconds_sum') < 5 * times);
  assert.ok(await value(server, 'duplex_delivery_seconds_bucket{le="+Inf"}') === await value(server, 'duplex_delivery_seconds_count'));
  assert.equal(await value(server, 'duplex_worker_up{worker="1"}'), 1);
  assert.ok(await value(server, 'duplex_worker_longest_turn_seconds{worker="0"}') < 5);

  const long = await request(`${server.url}/${'x'.repeat(9000)}`);
  const wide = await request(server.url, { headers: { 'X-Wide': 'x'.repeat(17000) } }).catch(() => ({ status: 431 }));
  const large = await request(server.url + name, { method: 'POST', headers: { 'Content-Type': 'text/plain', 'Content-Length': 2 ** 30 } }).catch(() => ({ status: 413 }));
  const missing = await request(`${server.url}/nowhere/at/all`, { method: 'POST' });
  for (const { status } of [long, wide, large, missing])
    assert.ok(await value(server, `duplex_http_errors_total{status="${status}"}`) >= 1, `${status}`);
  assert.deepEqual([long.status, wide.status, large.status, missing.status], [414, 431, 413, 404]);

  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.send('x'.repeat(70000));
  assert.equal(await closed, 1009);
  assert.equal(await value(server, 'duplex_websocket_closes_total{code="1009"}'), 1);
  await until(server, 'duplex_connections{kind="websocket"}', (found) => found === 0);

  const events = net.connect(server.port, '127.0.0.1');
  events.write(`GET ${name}?live=sse&offset=now HTTP/1.1\r\nHost: a\r\n\r\n`);
  await until(server, 'duplex_streaming_responses{kind="sse"}', (found) => found === 1);
  events.destroy();
  await until(server, 'duplex_streaming_responses{kind="sse"}', (found) => found === 0);
  await server.stop();
});

test('a subscriber that does not read is seen as it falls behind, and when it has caught up', limit, async () => {
  const config = path.join(directory, 'slow.yaml');
  fs.writeFileSync(config, 'namespaces:\n  - prefix: /live/\n    kept: {bytes: 256MiB}\n');
  const server = await start('--memory', '--config', config);
  const name = freshPath();
  const slow = new WebSocket(`${server.ws}${name}`, { perMessageDeflate: false });
  await new Promise((resolve, reject) => slow.on('open', resolve).on('error', reject));
  await until(server, 'duplex_subscribers{state="live"}', (found) => found === 1);
  slow.pause();
  for (let i = 0; i < 80; i++) await post(server.url + name, 'application/octet-stream', Buffer.alloc(500000, i));
  await until(server, 'duplex_subscribers{state="catching_up"}', (found) => found === 1);
  assert.ok(await until(server, 'duplex_lag_messages', (found) => found > 0) <= 80);
  slow.resume();
  await until(server, 'duplex_subscribers{state="live"}', (found) => found === 1);
  assert.equal(await value(server, 'duplex_lag_messages'), 0);
  slow.terminate();
  await server.stop();
});

test('a full disk is seen in /metrics and /readyz as it happens, and when it is over', limit, async (t) => {
  const server = await start('--no-memory', '--data', path.join(directory, 'full'));
  const setLimit = (bytes) => execFileSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:`]);
  await request(`${server.url}/s/full`, { method: 'PUT', headers: { 'Content-Type': 'text/plain' } });
  assert.equal(await value(server, 'duplex_store_up'), 1);
  assert.ok(await value(server, 'duplex_store_free_bytes') > 0);
  assert.ok(await value(server, 'duplex_store_transaction_seconds_count') >= 1);
  try {
    setLimit(4 << 20);
  } catch (error) {
    await server.stop();
    t.skip(`no limit can be set here: ${error}`);
    return;
  }
  const publish = () => request(`${server.url}/s/full`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x'.repeat(500000) });
  let status = 204;
  for (let i = 0; i < 100 && status === 204; i++) ({ status } = await publish());
  assert.equal(status, 503);
  assert.equal(await value(server, 'duplex_store_up'), 0);
  assert.ok(await value(server, 'duplex_http_errors_total{status="503"}') >= 1);
  const answer = await request(`${server.admin}/readyz`);
  assert.equal(answer.status, 503);
  assert.match(answer.body.toString(), /the disk is full/);
  setLimit('unlimited');
  await until(server, 'duplex_store_up', (found) => found === 1);
  assert.equal((await request(`${server.admin}/readyz`)).status, 200);
  await server.stop();
});

test('who has no token gets 401 and no figures', limit, async () => {
  fs.writeFileSync(path.join(directory, 'token'), 'a-token-of-visible-characters\n');
  const server = await start('--memory', '--admin-token-file', path.join(directory, 'token'));
  const ask = (Authorization) => request(`${server.admin}/metrics`, { headers: Authorization ? { Authorization } : {} });
  for (const wrong of [undefined, 'Bearer', 'Bearer x', 'Basic a-token-of-visible-characters', 'Bearer a-token-of-visible-character',
    'Bearer a-token-of-visible-characters-', 'Bearer a-token-of-visible-characters a-token-of-visible-characters']) {
    const answer = await ask(wrong);
    assert.equal(answer.status, 401, wrong);
    assert.match(answer.headers['www-authenticate'], /^Bearer realm=/);
    assert.doesNotMatch(answer.body.toString(), /duplex_/);
  }
  assert.equal((await ask('bearer  a-token-of-visible-characters')).status, 200);
  await server.stop();
});

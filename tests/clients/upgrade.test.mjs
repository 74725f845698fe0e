// One process takes over from another: sockets, data, those who are connected.
// Is:     SIGUSR2 with what can go wrong, sockets of a service manager, the pid file, what a manager is told.
// Is not: many clients meanwhile (tests/ledger), systemd itself (tests/systemd).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { after, test } from 'node:test';

import WebSocket from 'ws';

import { duplex, freshPath, history, patience_ms, post, request, serve, Server, within } from './helper.mjs';

const limit = { timeout: 6 * patience_ms };
const directories = [], heirs = new Set();
after(() => {
  for (const pid of heirs) try { process.kill(pid, 'SIGKILL'); } catch { /* it has ended */ }
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
});

function freshDirectory() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-upgrade-'));
  directories.push(directory);
  return directory;
}

const pidIn = (file) => Number(fs.readFileSync(file, 'utf8'));
const isAlive = (pid) => { try { process.kill(pid, 0); return fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0] !== 'Z'; } catch { return false; } };

async function until(what, holds) {
  const end = Date.now() + patience_ms;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// The process that follows; its stderr is the same pipe.
async function upgrade(server, pidFile) {
  const before = pidIn(pidFile);
  process.kill(before, 'SIGUSR2');
  await until('the next process', () => pidIn(pidFile) !== before && !isAlive(before));
  heirs.add(pidIn(pidFile));
  return pidIn(pidFile);
}

async function end(pid, pidFile) {
  process.kill(pid, 'SIGTERM');
  await until('its end', () => !isAlive(pid));
  assert.ok(!fs.existsSync(pidFile), 'the pid file has gone');
}

test('SIGUSR2: another process serves the same addresses and the same streams; sessions are told to come back', limit, async () => {
  const directory = freshDirectory(), pidFile = path.join(directory, 'pid'), socket = path.join(directory, 'socket');
  const server = await serve('--no-memory', '--data', path.join(directory, 'data'), '--pid-file', pidFile, '--listen', `unix:${socket}`);
  const url = `${server.url}/s/kept`;
  await request(url, { method: 'PUT', headers: { 'Content-Type': 'text/plain' } });
  await post(url, 'text/plain', 'before');
  const v1 = new WebSocket(`${server.ws}/s/kept?offset=now`, 'duplex.v1'), raw = new WebSocket(`${server.ws}/s/kept?offset=now`);
  const frames = [], codes = [];
  v1.on('message', (data) => frames.push(data.toString()));
  for (const ws of [v1, raw]) ws.on('close', (code) => codes.push(code));
  await within(Promise.all([once(v1, 'open'), once(raw, 'open')]), 'open');
  const sse = http.get(`${server.url}/s/kept?offset=now&live=sse`);
  const [stream] = await within(once(sse, 'response'), 'events');
  let events = '';
  stream.on('data', (data) => (events += data));
  const isOver = once(stream, 'close');

  const next = await upgrade(server, pidFile);
  await until('the sessions’ ends', () => codes.length === 2);
  assert.deepEqual(codes, [1001, 1001]);
  const hint = frames.map((frame) => frame.match(/^\n.*"reconnect":\{"after_ms":(\d+)\}/)).find(Boolean);
  assert.ok(hint && Number(hint[1]) <= 5000, `when to come back: ${JSON.stringify(frames)}`);
  await within(isOver, 'the end of the events');
  assert.match(events, /^retry: ?\d+$/m);

  assert.equal((await history(url)).body, 'before');
  await post(url, 'text/plain', ' and after');
  assert.equal((await history(url)).body, 'before and after');
  const local = await new Promise((resolve, reject) => http.get({ socketPath: socket, path: '/healthz' }, resolve).on('error', reject));
  assert.equal(local.statusCode, 200, 'at the unix socket, too');
  assert.match(server.err, new RegExp(`process ${next} has taken over`));

  const third = await upgrade(server, pidFile); // and so on
  assert.equal((await history(url)).body, 'before and after');
  await end(third, pidFile);
  assert.ok(!fs.existsSync(socket), 'the socket’s file has gone');
});

test('connections that come during an upgrade wait, and none is refused, for fewer workers and for more', limit, async () => {
  const directory = freshDirectory(), pidFile = path.join(directory, 'pid'), config = path.join(directory, 'duplex.yaml');
  fs.writeFileSync(config, 'workers: 3\n');
  const server = await serve('--config', config, '--pid-file', pidFile, '--loop', 'epoll');
  let isOver = false, count = 0;
  const knocking = Promise.all([...Array(4)].map(async () => {
    while (!isOver) {
      assert.equal((await request(`${server.url}/healthz`)).status, 200);
      count++;
    }
  }));
  for (const workers of [1, 4, 2]) {
    fs.writeFileSync(config, `workers: ${workers}\n`);
    await Promise.race([upgrade(server, pidFile), knocking]);
  }
  const before = count;
  await Promise.race([until('more answers', () => count > before + 20), knocking]);
  isOver = true;
  await knocking;
  await end(pidIn(pidFile), pidFile);
});

test('a configuration that is no good changes nothing: the old process serves on, and says why', limit, async () => {
  const directory = freshDirectory(), pidFile = path.join(directory, 'pid'), config = path.join(directory, 'duplex.yaml');
  fs.writeFileSync(config, 'log_level: info\n');
  const server = await serve('--config', config, '--pid-file', pidFile);
  const ws = new WebSocket(`${server.ws}${freshPath()}`);
  await within(once(ws, 'open'), 'open');
  fs.writeFileSync(config, 'workers: many\n');
  server.kill('SIGUSR2');
  await server.says(/no upgrade, this process serves on: [^"]*duplex\.yaml:1:10: workers/);
  assert.equal(ws.readyState, WebSocket.OPEN, 'nobody was sent away');
  ws.close();
  assert.equal(pidIn(pidFile), server.child.pid);
  await server.stop();
});

test('a new process that cannot open the data ends, and the old one serves on', limit, async () => {
  const directory = freshDirectory(), pidFile = path.join(directory, 'pid'), config = path.join(directory, 'duplex.yaml');
  const data = path.join(directory, 'data');
  fs.writeFileSync(config, `data: ${data}\n`);
  const server = await serve('--no-memory', '--config', config, '--pid-file', pidFile);
  const url = `${server.url}/s/kept`;
  await request(url, { method: 'PUT', headers: { 'Content-Type': 'text/plain' } });
  await post(url, 'text/plain', 'kept');
  fs.writeFileSync(config, `data: ${config}\n`); // which is no directory
  server.kill('SIGUSR2');
  await server.says(/no upgrade, this process serves on: [^"]*data /);
  assert.equal((await history(url)).body, 'kept');
  await post(url, 'text/plain', ', and taken');
  assert.equal((await history(url)).body, 'kept, and taken');
  fs.writeFileSync(config, `data: ${data}\n`);
  const next = await upgrade(server, pidFile);
  assert.equal((await history(url)).body, 'kept, and taken');
  await end(next, pidFile);
});

test('a service manager is told, and gives sockets', limit, async (t) => {
  const directory = freshDirectory(), place = path.join(directory, 'notify');
  let python;
  try { python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)']).toString().trim(); } catch { return t.skip('no python3'); }
  const manager = spawn(python, ['-u', '-c', `
import os, socket, sys
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind(sys.argv[1])
given = socket.socket()
given.bind(("127.0.0.1", 0))
given.listen(16)
print("port", given.getsockname()[1])
pid = os.fork()
if pid == 0:
    os.dup2(given.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(NOTIFY_SOCKET=sys.argv[1], LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="web", WATCHDOG_USEC="2000000")
    os.execv(sys.argv[2], [sys.argv[2], "serve", "--memory", "--admin", "none", "--listen", "127.0.0.1:%d" % given.getsockname()[1]])
given.close()
print("pid", pid)
while True:
    text = told.recv(4096).decode()
    print(repr(text))
    if "STOPPING" in text:
        break
os.waitpid(pid, 0)
`, place, duplex], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  manager.stdout.on('data', (data) => (said += data));
  await until('READY=1', () => said.includes('READY=1'));
  const port = said.match(/port (\d+)/)[1], pid = Number(said.match(/pid (\d+)/)[1]);
  heirs.add(pid);
  assert.equal((await request(`http://127.0.0.1:${port}/healthz`)).status, 200, 'the socket that was given is served');
  await until('WATCHDOG=1', () => said.includes('WATCHDOG=1'));
  process.kill(pid, 'SIGHUP');
  await until('RELOADING=1', () => /RELOADING=1\\nMONOTONIC_USEC=\d+[^]*READY=1/.test(said.slice(said.indexOf('WATCHDOG'))));
  process.kill(pid, 'SIGTERM');
  await until('STOPPING=1', () => said.includes('STOPPING=1'));
  await within(once(manager, 'close'), 'the end');
});

// Certificates that change while they are used, several for one name, the way from http to https, and
// clients who never end their handshakes.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { certificate, directory, forHost, served, shown } from './certificates.mjs';
import { duplex, freshPath, patience_ms, request, run, serve, within } from './helper.mjs';
import { limit, wsClient } from './scenes.mjs';

const anybody = { rejectUnauthorized: false };

async function until(isSo, what) {
  const end = Date.now() + patience_ms;
  while (!(await isSo())) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const count = (server, pattern) => server.err.match(pattern)?.length ?? 0;

// Puts `next` where `now` is, as tools do that renew certificates: each file at once, one after the other.
function replace(now, next) {
  for (const kind of ['key', 'cert']) fs.copyFileSync(next[kind], `${now[kind]}.new`);
  for (const kind of ['key', 'cert']) fs.renameSync(`${now[kind]}.new`, now[kind]);
}

// ---- renewal ----------------------------------------------------------------------------------------

test('files that change are read by themselves, under load without a failed request', limit, async () => {
  const now = await forHost('now', 'first.example');
  const server = await serve(...served(now));
  const open = await wsClient(anybody).connect(`${server.ws}/live/renewed`);
  let asked = 0;
  let over = false;
  const ask = async () => {
    while (!over) {
      assert.equal((await request(`${server.url}/healthz`, anybody)).status, 200);
      asked++;
    }
  };
  const load = Promise.all([ask(), ask(), ask(), ask()]);
  for (const host of ['second.example', 'third.example']) {
    replace(now, await forHost('next', host));
    await until(async () => (await shown(server.port, 'a')) === host, `${host} is shown`);
  }
  over = true;
  await load;
  assert.ok(asked > 20, `${asked} requests`);
  assert.equal(count(server, /certificates are loaded again/g), 2);
  assert.doesNotMatch(server.err, /stay as they were/);
  open.send('still here');
  assert.equal(await open.inbox.take(), 'still here');
  open.close();
  await server.stop();
});

test('a pair that is half written changes nothing, is told of once, and is used when it is whole', limit, async () => {
  const now = await forHost('half', 'first.example');
  const next = await forHost('whole', 'second.example');
  const server = await serve(...served(now));
  fs.copyFileSync(next.cert, now.cert);
  await server.says(/certificates stay as they were: key .*half-key\.pem: it does not fit the certificate/);
  assert.equal(await shown(server.port, 'a'), 'first.example');
  // Two more looks, at least: nothing else is said.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(count(server, /stay as they were/g), 1);
  fs.copyFileSync(next.key, now.key);
  await server.says(/certificates are loaded again/);
  assert.equal(await shown(server.port, 'a'), 'second.example');
  fs.rmSync(now.cert);
  await server.says(/certificates stay as they were: certificate .*half\.pem: not found/);
  assert.equal(await shown(server.port, 'a'), 'second.example');
  await server.stop();
});

test('links that lead elsewhere are a change, too', limit, async () => {
  const versions = [await forHost('v1', 'one.example'), await forHost('v2', 'two.example')];
  const place = path.join(directory, 'links');
  versions.forEach((version, i) => {
    fs.mkdirSync(path.join(place, `version${i}`), { recursive: true });
    fs.copyFileSync(version.cert, path.join(place, `version${i}`, 'tls.crt'));
    fs.copyFileSync(version.key, path.join(place, `version${i}`, 'tls.key'));
  });
  fs.symlinkSync('version0', path.join(place, 'current'));
  const now = { cert: path.join(place, 'current', 'tls.crt'), key: path.join(place, 'current', 'tls.key') };
  const server = await serve(...served(now));
  assert.equal(await shown(server.port, 'a'), 'one.example');
  fs.symlinkSync('version1', path.join(place, 'next'));
  fs.renameSync(path.join(place, 'next'), path.join(place, 'current'));
  await server.says(/certificates are loaded again/);
  assert.equal(await shown(server.port, 'a'), 'two.example');
  await server.stop();
});

// ---- one name, two keys -----------------------------------------------------------------------------

test('openssl: ECDSA for who can, RSA for who cannot, under one name', limit, async () => {
  const a = await forHost('a-ecdsa', 'a.example');
  const rsa = await forHost('a-rsa', 'a.example', { kind: 'rsa' });
  const other = await forHost('other-rsa', 'other.example', { kind: 'rsa' });
  const server = await serve(...served(a, rsa, other));
  const kind = async (host, ...args) => {
    const { out } = await run('openssl', ['s_client', '-connect', server.host, '-servername', host, ...args]);
    return `${out.match(/subject=CN = (\S+)/)?.[1]} ${out.match(/Peer signature type: (\S+)/)?.[1]}`;
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    assert.equal(await kind('a.example', version), 'a.example ECDSA');
    assert.equal(await kind('other.example', version), 'other.example RSA-PSS');
    assert.equal(await kind('unknown.example', version), 'a.example ECDSA');
  }
  assert.equal(await kind('a.example', '-tls1_2', '-cipher', 'aRSA'), 'a.example RSA-PSS');
  assert.equal(await kind('a.example', '-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'), 'a.example RSA-PSS');
  assert.equal(await kind('unknown.example', '-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'), 'a.example RSA-PSS');
  await server.stop();
});

// ---- from http to https -----------------------------------------------------------------------------

// Sends these bytes to the address for redirects; the whole answer.
async function raw(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => (answer += text));
  socket.end(bytes);
  await within(new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject)), 'an answer');
  return answer;
}

test('--redirect: the same URL behind https, whatever is asked', limit, async () => {
  const a = await forHost('r', 'localhost');
  const server = await serve(...served(a), '--redirect', '127.0.0.1:0');
  const [, clear] = await server.says(/to https:\/\/ leads (http:[^\s"]+)/);
  const there = (host) => `https://${host}:${server.port}`;
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await request(`${clear}/live/x%20y//z?offset=-1&a=%2F`, { method, body: method === 'POST' ? 'x'.repeat(1000) : '' });
    assert.equal(answer.status, 308, method);
    assert.equal(answer.headers.location, `${there('127.0.0.1')}/live/x%20y//z?offset=-1&a=%2F`);
  }
  const go = async (host, target = '/p?q') => {
    const answer = await raw(clear, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return answer.match(/^HTTP\/1\.1 308 [^]*\r\nLocation: (\S*)\r\n/)?.[1] ?? answer.split('\r\n')[0];
  };
  assert.equal(await go('a.example'), 'https://a.example/p?q', 'port 80 is mapped to ours, so 443 is, too');
  assert.equal(await go('a.example:80'), 'https://a.example/p?q');
  assert.equal(await go('a.example:8080'), `${there('a.example')}/p?q`);
  assert.equal(await go('[::1]:8080'), `${there('[::1]')}/p?q`);
  assert.equal(await go('[::1]'), 'https://[::1]/p?q');
  assert.equal(await go('a.example', '/'), 'https://a.example/');
  assert.equal(await go('a.example', '/?'), 'https://a.example/?');
  assert.equal(await go('b.example', 'http://a.example/x'), 'https://a.example/x', 'the target goes before Host');
  for (const host of ['', 'a b', 'user@a.example', 'a.example/evil', 'a.example:99999', 'a\r\n\tb', 'a\\b', '[::1', 'x'.repeat(256)])
    assert.match(await go(host), /^HTTP\/1\.1 400 /, JSON.stringify(host));
  assert.match(await raw(clear, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 400 [^]*Host/);
  assert.match(await raw(clear, 'GET / HTTP/1.0\r\nHost: a.example\r\n\r\n'), /^HTTP\/1\.1 308 [^]*Location: https:\/\/a\.example\/\r\n/);
  const injected = await raw(clear, 'GET /a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
  assert.match(injected, /^HTTP\/1\.1 (400|308)/);
  assert.doesNotMatch(injected, /^X-Evil/m);
  await assert.rejects(wsClient().connect(`${clear.replace('http', 'ws')}/live/x`), /308/);
  const followed = await run('curl', ['-sS', '-L', '--noproxy', '*', '-k', '-d', 'posted', '-H', 'Content-Type: text/plain',
    `${clear}${freshPath()}`, '-o', '/dev/null', '-w', '%{http_code} %{scheme}']);
  assert.match(followed.out, /^204 https$/i);
  const h2c = await run('curl', ['-sS', '--noproxy', '*', '--http2-prior-knowledge', `${clear}/a?b`, '-o', '/dev/null', '-w',
    '%{http_version} %{http_code} %{redirect_url}']);
  assert.equal(h2c.out, `2 308 ${there('127.0.0.1')}/a?b`);
  await server.stop();
});

test('--redirect without TLS, or to an address that is TLS itself, makes no sense', limit, async () => {
  const a = await forHost('r', 'localhost');
  for (const [args, said] of [
    [['--redirect', '127.0.0.1:0'], /--redirect leads to https:\/\/, and no address is/],
    [[...served(a), '--listen', 'http://127.0.0.1:0', '--redirect', '127.0.0.1:0'], /no address is/],
    [[...served(a), '--redirect', 'https://127.0.0.1:0'], /--redirect https/],
    [[...served(a), '--redirect', 'nonsense'], /redirect/],
  ]) {
    const { code, err } = await run(duplex, ['serve', ...args]);
    assert.equal(code, 78, err);
    assert.match(err, said);
  }
});

// ---- handshakes that do not end ---------------------------------------------------------------------

// What a client sends first.
async function clientHello() {
  const server = net.createServer().listen(0, '127.0.0.1');
  const came = new Promise((resolve) => server.on('connection', (socket) => socket.once('data', (data) => {
    socket.destroy();
    resolve(data);
  })));
  await new Promise((resolve) => server.on('listening', resolve));
  tls.connect({ port: server.address().port, host: '127.0.0.1', servername: 'localhost' }).on('error', () => {});
  const bytes = await within(came, 'a ClientHello');
  server.close();
  return bytes;
}

test('A30: of 1400 handshakes that stall 1024 are kept, in bounded memory, and a good client is served', limit, async () => {
  const hello = await clientHello();
  const a = await certificate('flooded', { cn: 'localhost' });
  const server = await serve(...served(a), '--workers', '1');
  const memory = () => Number(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
  await request(`${server.url}/healthz`, anybody);
  const before = memory();
  const stalled = [];
  let closed = 0;
  const stall = async (total) => {
    for (let i = stalled.length; i < total; i++) {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => {}).on('close', () => closed++);
      socket.write(hello); // and nothing after it
      stalled.push(socket);
      if (i % 100 === 99) assert.equal((await request(`${server.url}/healthz`, anybody)).status, 200);
    }
    await until(() => closed >= total - 1024, 'the oldest are reset');
    return memory() - before;
  };
  const held = await stall(1030);
  const heldLater = await stall(1400);
  const isSanitized = /lib[at]san/.test(fs.readFileSync(`/proc/${server.child.pid}/maps`, 'utf8')); // it keeps what is freed
  assert.ok(isSanitized || heldLater < held * 1.15, `${held} KiB for 1024 of 1030 handshakes, ${heldLater} of 1400`);
  assert.equal((await request(`${server.url}/healthz`, anybody)).status, 200);
  stalled.forEach((socket) => socket.destroy());
  await until(async () => (await request(`${server.url}/healthz`, anybody)).status === 200, 'it serves on');
  await server.stop();
});

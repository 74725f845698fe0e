// Certificates of clients: who is let in, who is known, and what each client says when it is not.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { before, test } from 'node:test';
import { certificate, directory, forHost, served } from './certificates.mjs';
import { duplex, request, run, serve } from './helper.mjs';
import { limit, wsClient } from './scenes.mjs';

const made = {};
before(async () => {
  made.authority = await certificate('authority');
  made.ada = await certificate('ada', { issuer: made.authority, names: 'email:ada@a.example,URI:urn:x:ada' });
  made.bob = await certificate('bob', { issuer: made.authority });
  made.proxy = await certificate('proxy', { issuer: made.authority });
  made.stranger = await certificate('stranger', { cn: 'ada' });
  made.host = await certificate('host', { cn: 'localhost', names: 'DNS:localhost,IP:127.0.0.1' });
});

const start = (...args) => serve(...served(made.host), '--tls-client-ca', made.authority.cert, ...args);
const trust = () => ({ ca: fs.readFileSync(made.host.cert) });
const as = (who) => (who ? { ...trust(), cert: fs.readFileSync(made[who].cert), key: fs.readFileSync(made[who].key) } : trust());
const text = { 'Content-Type': 'text/plain' };
const ask = async (server, method, path, who, headers = {}) =>
  request(server.url + path, { method, headers: { ...text, ...headers }, body: method === 'POST' ? 'x' : '', ...as(who) });
const status = async (...args) => (await ask(...args)).status;

test('required: who shows none, or a stranger’s, is sent away; the log says why and from where', limit, async () => {
  const server = await start();
  assert.equal(await status(server, 'POST', '/live/a', 'ada'), 204);
  await assert.rejects(status(server, 'POST', '/live/a', null));
  await server.says(/client certificate refused: peer did not return a certificate, from 127\.0\.0\.1:\d+/);
  await assert.rejects(wsClient(as(null)).connect(`${server.ws}/live/a`));
  const socket = await wsClient(as('bob')).connect(`${server.ws}/live/a?offset=-1`);
  assert.equal(await socket.inbox.take(), 'x');
  socket.close();
  await server.stop();
});

test('a certificate of another authority is refused also where none is required', limit, async () => {
  const server = await start('--tls-client', 'optional');
  await assert.rejects(status(server, 'POST', '/live/a', 'stranger'));
  await server.says(/client certificate refused: self-signed certificate, from/);
  assert.equal(await status(server, 'POST', '/live/a', null), 204);
  await server.stop();
});

test('who is known: the owner of an inbox reads it, others do not, and who shows none is told', limit, async () => {
  const server = await start('--tls-client', 'optional');
  assert.equal(await status(server, 'POST', '/u/ada/inbox', null), 204);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'ada'), 200);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'bob'), 403);
  const unknown = await ask(server, 'GET', '/u/ada/inbox?offset=-1', null);
  assert.equal(unknown.status, 401);
  assert.match(unknown.body.toString(), /client certificate/);
  assert.match(unknown.headers['www-authenticate'], /^Client-Certificate /);
  // No header speaks for anybody here.
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'bob', { 'X-Subject': 'ada' }), 403);
  const inbox = await wsClient(as('ada')).connect(`${server.ws}/u/ada/inbox?offset=-1`);
  assert.equal(await inbox.inbox.take(), 'x');
  inbox.close();
  await assert.rejects(wsClient(as('bob')).connect(`${server.ws}/u/ada/inbox?offset=-1`), /403/);
  await server.stop();
});

test('the name may be an alternative one', limit, async () => {
  for (const [kind, name] of [['email', 'ada@a.example'], ['uri', 'urn:x:ada']]) {
    const server = await start('--tls-client-name', kind);
    assert.equal(await status(server, 'POST', `/u/${name}/inbox`, 'bob'), 204);
    assert.equal(await status(server, 'GET', `/u/${name}/inbox?offset=-1`, 'ada'), 200);
    assert.equal(await status(server, 'GET', `/u/${name}/inbox?offset=-1`, 'bob'), 401, 'bob has no such name');
    await server.stop();
  }
});

test('a trusted proxy speaks for others, and its own certificate for nobody', limit, async () => {
  const server = await start('--access-subject-header', 'X-Subject', '--access-trusted-from', '127.0.0.1/8');
  assert.equal(await status(server, 'POST', '/u/ada/inbox', 'proxy'), 204);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'proxy', { 'X-Subject': 'ada' }), 200);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'ada'), 401);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'ada', { 'X-Subject': '' }), 401);
  await server.stop();
  const other = await start('--access-subject-header', 'X-Subject', '--access-trusted-from', '10.0.0.0/8');
  assert.equal(await status(other, 'POST', '/u/ada/inbox', 'proxy'), 204);
  assert.equal(await status(other, 'GET', '/u/ada/inbox?offset=-1', 'bob', { 'X-Subject': 'ada' }), 403);
  assert.equal(await status(other, 'GET', '/u/ada/inbox?offset=-1', 'ada', { 'X-Subject': 'bob' }), 200);
  await other.stop();
});

test('off asks nobody', limit, async () => {
  const server = await start('--tls-client', 'off');
  assert.equal(await status(server, 'POST', '/live/a', null), 204);
  assert.equal(await status(server, 'GET', '/u/ada/inbox?offset=-1', 'ada'), 401);
  await server.stop();
});

test('openssl and curl: who is asked for, with and without', limit, async () => {
  const server = await start();
  const openssl = async (...args) => {
    const { out, err } = await run('openssl', ['s_client', '-connect', server.host, '-CAfile', made.host.cert, '-ign_eof', ...args],
      'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return out + err;
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    const without = await openssl(version);
    assert.match(without, /Acceptable client certificate CA names\nCN = authority/);
    assert.match(without, version === '-tls1_3' ? /alert certificate required/ : /alert handshake failure/);
    assert.doesNotMatch(without, /"status":"ok"/);
    const session = `${directory}/session${version}`;
    const withOne = ['-cert', made.ada.cert, '-key', made.ada.key, '-sess_out', session];
    assert.match(await openssl(version, ...withOne), /"status":"ok"/);
    if (fs.existsSync(session)) // no session is taken up again
      assert.match(await openssl(version, '-sess_in', session, '-cert', made.ada.cert, '-key', made.ada.key), /^New, /m);
  }
  const curl = (...args) => run('curl', ['-sS', '--noproxy', '*', '--cacert', made.host.cert, ...args, `${server.url}/healthz`]);
  assert.equal((await curl('--cert', made.ada.cert, '--key', made.ada.key)).out, '{"status":"ok"}');
  assert.notEqual((await curl()).code, 0);
  await server.stop();
});

test('curl: the same names over HTTP/2 and HTTP/1.1', limit, async () => {
  const server = await start('--tls-client', 'optional');
  for (const version of ['2', '1.1']) {
    const curl = async (who, ...args) => (await run('curl', ['-sS', '--noproxy', '*', `--http${version}`, '--cacert', made.host.cert,
      ...(who ? ['--cert', made[who].cert, '--key', made[who].key] : []), '-o', '/dev/null', '-w', '%{http_version} %{http_code}',
      '-H', 'Content-Type: text/plain', ...args])).out;
    const url = `${server.url}/u/ada/inbox-${version}`;
    assert.equal(await curl('bob', '-d', 'x', url), `${version} 204`);
    assert.equal(await curl('ada', `${url}?offset=-1`), `${version} 200`);
    assert.equal(await curl('bob', `${url}?offset=-1`), `${version} 403`);
    assert.equal(await curl(null, `${url}?offset=-1`), `${version} 401`);
  }
  await server.stop();
});

test('duplex pub and sub show theirs, and say what the server wants', limit, async () => {
  const server = await start();
  const url = `${server.url}/u/ada/inbox`;
  const mine = ['--cacert', made.host.cert, '--cert', made.ada.cert, '--key', made.ada.key];
  assert.equal((await run(duplex, ['pub', ...mine, url, 'one'])).code, 0);
  assert.equal((await run(duplex, ['pub', '--via', 'ws', ...mine, url, 'two'])).code, 0);
  for (const via of ['ws', 'sse'])
    assert.equal((await run(duplex, ['sub', ...mine, '--via', via, '--offset', '-1', '--count', '2', url])).out, 'one\ntwo\n');
  const without = await run(duplex, ['pub', '--cacert', made.host.cert, url, 'three']);
  assert.equal(without.code, 1);
  assert.match(without.err, /certificate required/);
  const half = await run(duplex, ['pub', '--cacert', made.host.cert, '--cert', made.ada.cert, url, 'three']);
  assert.equal(half.code, 2);
  assert.match(half.err, /a certificate needs its key/);
  const wrong = await run(duplex, ['pub', '--cacert', made.host.cert, '--cert', made.ada.cert, '--key', made.bob.key, url, 'x']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /it does not fit the certificate/);
  await server.stop();
});

test('what is wrong is told at the start', limit, async () => {
  const cases = [
    [[...served(made.host), '--tls-client-ca', '/nowhere'], /certificates that clients are believed by, \/nowhere: not found/],
    [[...served(made.host), '--tls-client-ca', made.host.key], /host-key\.pem: there is no certificate in it/],
    [['--tls-client-ca', made.authority.cert], /client certificates need TLS/],
    [['--tls-client', 'maybe'], /required, optional, off/],
    [['--tls-client-name', 'serial'], /cn, email, uri, dns/],
  ];
  for (const [args, said] of cases) {
    const { code, err } = await run(duplex, ['serve', ...args]);
    assert.equal(code, 78, err);
    assert.match(err, said);
  }
});

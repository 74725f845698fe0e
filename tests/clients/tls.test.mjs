// TLS: the scenes of the other clients over https and wss; versions, ALPN, names, tickets, certificates that
// change under load.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { chromium } from 'playwright-core';
import { believe, duplex, freshPath, here, Inbox, post, Program, request, run, serve, serveEcho, within }
  from './helper.mjs';
import { limit, playHttp, playWebSocket, sharedServer, wsClient } from './scenes.mjs';

const state = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-tls-'));
const file = (name) => path.join(state, 'duplex', name);
process.env.XDG_STATE_HOME = state;
process.env.SSL_CERT_FILE = file('ca.pem'); // for Python
after(() => fs.rmSync(state, { recursive: true }));

const shared = sharedServer(async () => {
  const server = await serve('--tls', 'dev');
  believe(file('ca.pem'));
  return server;
});

// ---- the scenes -------------------------------------------------------------------------------------

playWebSocket('ws over TLS', wsClient(), shared);

playHttp('curl over TLS', {
  async post(url, type, body) {
    const { code, out, err } = await run('curl', ['-sS', '-i', '--cacert', file('ca.pem'), '-H', `Content-Type: ${type}`,
      '--data-binary', '@-', url], body);
    assert.equal(code, 0, err);
    return { status: Number(out.split(' ')[1]), next: out.match(/stream-next-offset: (\S+)/i)[1] };
  },
  async get(url) {
    const { code, out, err } = await run('curl', ['-sS', '-i', '--cacert', file('ca.pem'), url]);
    assert.equal(code, 0, err);
    const at = out.indexOf('\r\n\r\n');
    const field = (name) => out.slice(0, at).match(new RegExp(`^${name}: (.*)\r$`, 'im'))?.[1];
    return { status: Number(out.split(' ')[1]), body: out.slice(at + 4), type: field('content-type'),
      next: field('stream-next-offset'), upToDate: field('stream-up-to-date') };
  },
}, shared);

const python = {
  async connect(url) {
    const program = new Program('/usr/bin/python3', [path.join(here, 'websocket_driver.py'), url, 'none']);
    assert.ok(JSON.parse(await program.lines.take()).open !== undefined);
    const inbox = new Inbox();
    (async () => {
      for (;;) {
        const event = JSON.parse(await program.lines.take(60_000));
        if ('text' in event) inbox.push(event.text);
        else if ('base64' in event) inbox.push(Buffer.from(event.base64, 'base64'));
        else if ('closed' in event) inbox.end({ code: event.closed });
      }
    })().catch((why) => inbox.end(why.message));
    const tell = (order) => program.write(`${JSON.stringify(order)}\n`);
    return {
      inbox,
      send: (data) => tell(typeof data === 'string' ? { text: data } : { base64: data.toString('base64') }),
      async close() {
        tell({ close: 1000 });
        assert.equal(await program.exit(), 0, program.err);
      },
    };
  },
};

test('Python websockets over TLS: what is posted arrives, what is sent is read', limit, async () => {
  const name = freshPath();
  const reader = await python.connect(shared.ws.replace('127.0.0.1', 'localhost') + name);
  await post(shared.url + name, 'text/plain', 'to Python');
  assert.equal(await reader.inbox.take(), 'to Python');
  await reader.send('from Python');
  assert.equal(await reader.inbox.take(), 'from Python');
  await reader.close();
});

test('Chromium over TLS: a page opens a WebSocket and posts', limit, async () => {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'] });
  try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`${shared.url}/healthz`);
    const got = await within(page.evaluate(async (address) => {
      const socket = new WebSocket(address.replace('https', 'wss'));
      await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
      const message = new Promise((resolve) => (socket.onmessage = (event) => resolve(event.data)));
      await fetch(address, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x'.repeat(50_000) });
      return (await message).length;
    }, shared.url + freshPath()), 'the page');
    assert.equal(got, 50_000);
  } finally {
    await browser.close();
  }
});

test('duplex pub and sub over TLS, believing the authority or anybody, and nobody else', limit, async () => {
  const url = shared.url + freshPath();
  const trust = ['--cacert', file('ca.pem')];
  assert.equal((await run(duplex, ['pub', ...trust, url, 'one'])).code, 0);
  assert.equal((await run(duplex, ['pub', '--insecure', '--via', 'ws', url, 'two'])).code, 0);
  for (const via of ['ws', 'sse'])
    assert.equal((await run(duplex, ['sub', ...trust, '--via', via, '--offset', '-1', '--count', '2', url])).out, 'one\ntwo\n');
  assert.match((await run(duplex, ['sub', ...trust, '--via', 'http', url])).out, /onetwo/);
  process.env.SSL_CERT_FILE = '/dev/null';
  const refused = await run(duplex, ['pub', url, 'three']);
  process.env.SSL_CERT_FILE = file('ca.pem');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /certificate/);
  const other = await run(duplex, ['pub', '--cacert', '/nowhere', url, 'three']);
  assert.match(other.err, /certificates of authorities \/nowhere/);
});

// ---- the protocol -----------------------------------------------------------------------------------

const openssl = async (args, input = '') => {
  const { out, err } = await run('openssl', ['s_client', '-connect', shared.host, '-CAfile', file('ca.pem'), ...args], input);
  return out + err;
};

test('openssl: 1.2 and 1.3, nothing older, no compression, no renegotiation', limit, async () => {
  const new_one = await openssl(['-tls1_3']);
  assert.match(new_one, /New, TLSv1\.3, Cipher is TLS_AES_/);
  assert.match(new_one, /Verification: OK/);
  const old = await openssl(['-tls1_2']);
  assert.match(old, /New, TLSv1\.2, Cipher is ECDHE-ECDSA-(AES...-GCM|CHACHA20)/);
  assert.match(old, /Compression: NONE/);
  assert.match(await openssl(['-tls1_1', '-cipher', 'ALL@SECLEVEL=0']), /alert protocol version/);
  assert.match(await openssl(['-tls1_2', '-cipher', 'ECDHE+AES+SHA1:@SECLEVEL=0']), /alert handshake failure/);
  const again = new Program('openssl', ['s_client', '-connect', shared.host, '-tls1_2', '-CAfile', file('ca.pem')]);
  await again.lines.take();
  again.write('R\n');
  await again.says(/no renegotiation|RENEGOTIATING[^]*error/i);
  again.kill('SIGKILL');
});

test('openssl: ALPN is http/1.1; a client that offers only others is refused', limit, async () => {
  assert.match(await openssl(['-alpn', 'other,http/1.1']), /ALPN protocol: http\/1\.1/);
  assert.match(await openssl(['-alpn', 'other']), /alert no application protocol/);
  assert.match(await openssl([]), /No ALPN negotiated/);
});

test('openssl: h2 by ALPN, whatever else is offered with it', limit, async () => {
  assert.match(await openssl(['-alpn', 'h2']), /ALPN protocol: h2/);
  assert.match(await openssl(['-alpn', 'http/1.1,h2']), /ALPN protocol: h2/);
});

test('openssl: no ticket allows early data, so nothing can be replayed', limit, async () => {
  const session = path.join(state, 'early.pem');
  const ask = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const said = await openssl(['-tls1_3', '-ign_eof', '-sess_out', session], ask);
  assert.match(said, /New, TLSv1\.3/);
  assert.doesNotMatch(said, /Max Early Data: [1-9]/);
  const early = path.join(state, 'early');
  fs.writeFileSync(early, ask);
  assert.match(await openssl(['-tls1_3', '-ign_eof', '-sess_in', session, '-early_data', early], ask), /Early data was not sent/);
});

test('openssl: a ticket is taken up again in both versions', limit, async () => {
  for (const version of ['-tls1_2', '-tls1_3']) {
    const session = path.join(state, 'session.pem');
    const ask = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    await openssl([version, '-ign_eof', '-sess_out', session], ask);
    const again = await openssl([version, '-ign_eof', '-sess_in', session], ask);
    assert.match(again, /^Reused, TLS/m);
    assert.match(again, /"status":"ok"/);
  }
});

test('HTTP on the TLS port is told so', limit, async () => {
  const answer = await request(shared.url.replace('https', 'http'));
  assert.equal(answer.status, 400);
  assert.match(answer.body.toString(), /https:\/\/ or wss:\/\//);
});

test('a stream that is made has an https URL', limit, async () => {
  const path_ = `/s/made-${process.pid}`;
  const made = await request(shared.url + path_, { method: 'PUT' });
  assert.equal(made.status, 201);
  assert.equal(made.headers.location, shared.url + path_);
});

test('a page that came in clear opens no WebSocket through TLS', limit, async () => {
  const address = shared.ws + freshPath();
  await assert.rejects(wsClient({ origin: shared.url.replace('https', 'http') }).connect(address), /403/);
  const own = await wsClient({ origin: shared.url }).connect(address);
  own.close();
});

test('the end is announced: close_notify comes before FIN', limit, async () => {
  const socket = tls.connect({ host: '127.0.0.1', port: shared.server.port, ca: fs.readFileSync(file('ca.pem')) });
  socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const data of socket) text += data; // an end without it is an error here
  assert.match(text, /200 OK[^]*"status":"ok"/);
});

// ---- certificates -----------------------------------------------------------------------------------

async function certificate(name, host) {
  const made = { cert: path.join(state, `${name}.pem`), key: path.join(state, `${name}-key.pem`) };
  const { code, err } = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-days', '2', '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`,
    '-keyout', made.key, '-out', made.cert]);
  assert.equal(code, 0, err);
  return made;
}

const shown = (port, servername) => new Promise((resolve, reject) => {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().subject.CN);
    socket.end();
  }).on('error', reject);
});

test('SNI: the certificate for the name, else the first', limit, async () => {
  const a = await certificate('a', 'a.example');
  const b = await certificate('b', '*.b.example');
  const server = await serve('--tls-cert', a.cert, '--tls-key', a.key, '--tls-cert', b.cert, '--tls-key', b.key);
  assert.equal(await shown(server.port, 'a.example'), 'a.example');
  assert.equal(await shown(server.port, 'x.b.example'), '*.b.example');
  assert.equal(await shown(server.port, 'x.y.b.example'), 'a.example');
  assert.equal(await shown(server.port, 'other.example'), 'a.example');
  assert.equal(await shown(server.port, ''), 'a.example');
  await server.stop();
});

test('SIGHUP under load: new connections get the new certificate, none fails, open ones go on', limit, async () => {
  const now = await certificate('now', 'first.example');
  const server = await serve('--tls-cert', now.cert, '--tls-key', now.key);
  const client = wsClient({ rejectUnauthorized: false });
  const open = await client.connect(`${server.ws}/live/reload`);
  let asked = 0;
  let over = false;
  const ask = async () => {
    while (!over) {
      const answer = await request(`${server.url}/healthz`, { rejectUnauthorized: false });
      assert.equal(answer.status, 200);
      asked++;
    }
  };
  const load = Promise.all([ask(), ask(), ask(), ask()]);
  for (let i = 0; i < 5; i++) {
    const next = await certificate('next', `host${i}.example`);
    fs.copyFileSync(next.key, now.key);
    fs.copyFileSync(next.cert, now.cert);
    const count = server.err.match(/loaded again/g)?.length ?? 0;
    server.kill('SIGHUP');
    await server.says(new RegExp(`(?:loaded again[^]*){${count + 1}}`));
    assert.equal(await shown(server.port, 'a'), `host${i}.example`);
  }
  fs.writeFileSync(now.key, 'no key');
  server.kill('SIGHUP');
  await server.says(/certificates stay as they were: key .*now-key\.pem: there is no private key in it/);
  assert.equal(await shown(server.port, 'a'), 'host4.example');
  over = true;
  await load;
  assert.ok(asked > 20, `${asked} requests`);
  await open.send('still here');
  assert.equal(await open.inbox.take(), 'still here');
  await open.close();
  await server.stop();
});

test('what is wrong with certificates is told at the start', limit, async () => {
  const a = await certificate('a', 'a.example');
  const b = await certificate('b', 'b.example');
  const cases = [
    [['--tls-cert', '/nowhere', '--tls-key', a.key], /certificate \/nowhere: not found/],
    [['--tls-cert', a.cert, '--tls-key', b.key], /key .*b-key\.pem: it does not fit the certificate/],
    [['--tls-cert', a.cert], /each certificate needs its key/],
    [['--listen', 'https://127.0.0.1:0'], /needs a certificate: --tls-cert FILE --tls-key FILE, or --tls dev/],
    [['--tls', 'dev', '--tls-cert', a.cert, '--tls-key', a.key], /not both/],
  ];
  for (const [args, said] of cases) {
    const { code, err } = await run(duplex, ['serve', ...args]);
    assert.equal(code, 78, err);
    assert.match(err, said);
  }
});

test('http:// and https:// side by side, and a unix socket in clear', limit, async () => {
  const socket = path.join(state, 'socket');
  const server = await serve('--tls', 'dev', '--listen', 'http://127.0.0.1:0', '--listen', `unix:${socket}`);
  const [, clear] = await server.says(/listening on (http:[^\s"]+)/);
  assert.equal((await request(`${server.url}/healthz`)).status, 200);
  assert.equal((await request(`${clear}/healthz`)).status, 200);
  assert.equal((await request('http://a/healthz', { socketPath: socket })).status, 200);
  await server.stop();
});

test('a handshake that stalls is ended after ten seconds, and nobody waits for it', limit, async () => {
  const socket = net.connect(shared.server.port, '127.0.0.1');
  const begun = Date.now();
  socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
  await post(shared.url + freshPath(), 'text/plain', 'meanwhile');
  await new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
  assert.ok(Date.now() - begun > 9_000 && Date.now() - begun < 13_000);
});

test('the echo example takes a certificate', limit, async () => {
  const a = await certificate('a', 'a.example');
  const server = await serveEcho('--tls-cert', a.cert, '--tls-key', a.key);
  const client = await wsClient({ rejectUnauthorized: false }).connect(server.ws);
  const large = 'x'.repeat(60_000);
  for (const text of ['one', large, 'two']) {
    client.send(text);
    assert.equal(await client.inbox.take(), text);
  }
  await client.close();
  await server.stop();
});

// Who may do what: tokens, capabilities and origins, at every door.
// Is:     vectors of tokens made by Node's crypto, capabilities by doors and methods, sessions that outlive their
//         token, keys that change, origins.
// Is not: each verdict (src/serve/test_access.c), each fault of a token (src/codec/test_jwt.c).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import WebSocket from 'ws';
import { build, freshPath, Inbox, Program, request, run, serve, within } from './helper.mjs';
import { limit, sharedServer } from './scenes.mjs';
import { can, claims, jwk, makeKey, now, pem, sign } from './tokens.mjs';

const duplex = path.join(build, 'duplex');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-access-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

const algs = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const keys = Object.fromEntries(algs.map((alg) => [alg, makeKey(alg)]));
const foreign = Object.fromEntries(algs.map((alg) => [alg, makeKey(alg)]));
const es = keys.ES256;

function file(name, text) {
  fs.writeFileSync(path.join(scratch, name), text);
  return path.join(scratch, name);
}

const jwks = file('jwks.json', JSON.stringify({ keys: [
  ...algs.map((alg) => jwk(keys[alg], { kid: alg })),
  { ...jwk(foreign.RS256), use: 'enc' }, { kty: 'unknown' },
] }));
const policy = `
namespaces:
  - {prefix: /t/, access: {default: token}}
  - {prefix: /open/, access: {default: token, read: anyone}}
  - {prefix: /known/, access: {default: known}}
  - {prefix: "/u/{sub}/", access: {default: sub, publish: token}}
`;
const config = (name, access) => file(name, `access: ${JSON.stringify(access)}\n${policy}`);

const server = sharedServer(() => serve('--config', config('main.yaml', { token_keys: [jwks], token_cookie: 'session', subject_header: 'X-Who', trusted_from: ['127.0.0.0/8'] })));

const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

async function ask(method, where, token, { headers = {}, body, at = server } = {}) {
  return request(at.url + where, { method, headers: { ...(body && { 'Content-Type': 'text/plain' }), ...bearer(token), ...headers }, body });
}

// ---- vectors ----------------------------------------------------------------------------------------

const everything = can('/**', 'read', 'publish', 'create', 'delete', 'presence');
const good = (alg, more, header) => sign(keys[alg], claims({ ...everything, ...more }), { kid: alg, ...header });
const b64 = (text) => Buffer.from(text).toString('base64url');
const part = (token, index, text) => token.split('.').map((p, i) => (i === index ? text : p)).join('.');

const taken = Object.fromEntries([
  ...algs.map((alg) => [`${alg}`, () => good(alg)]),
  ['without a kid', () => sign(es, claims(everything))],
  ['header keys of its own are not looked at', () => good('ES256', {}, { jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', jwk: jwk(foreign.ES256), x5c: ['AAAA'] })],
  ['exp within the leeway', () => good('ES256', { exp: now() - 2 })],
  ['nbf within the leeway', () => good('ES256', { nbf: now() + 3 })],
  ['exp with a fraction', () => good('ES256', { exp: now() + 600.5 })],
]);

const refused = Object.fromEntries([
  ['alg none', [() => `${b64('{"alg":"none"}')}.${b64(JSON.stringify(claims(everything)))}.`, /alg/]],
  ['alg None, with a signature', [() => part(good('ES256'), 0, b64('{"alg":"None"}')), /alg/]],
  ['HS256 with the public key as the secret', [() => sign({ alg: 'HS256', secret: Buffer.from(pem(keys.RS256)) }, claims(everything), { kid: 'RS256' }), /no key here/]],
  ['HS256 without kid, the public key as the secret', [() => sign({ alg: 'HS256', secret: Buffer.from(pem(es)) }, claims(everything)), /signature/]],
  ['RS256 by a key that is for PS256', [() => sign(keys.PS256, claims(everything), { kid: 'PS256' }, 'RS256'), /no key here/]],
  ['PS384 by a key that is for PS256', [() => sign(keys.PS256, claims(everything), { kid: 'PS256' }, 'PS384'), /no key here/]],
  ['kid is a path', [() => good('ES256', {}, { kid: '../../../../dev/null' }), /no key here/]],
  ['kid is SQL', [() => good('ES256', {}, { kid: "' OR 1=1 --" }), /no key here/]],
  ['kid is a number', [() => good('ES256', {}, { kid: 7 }), /kid/]],
  ['kid of another key', [() => good('ES256', {}, { kid: 'HS256' }), /no key here/]],
  ['a key from its own header', [() => sign(foreign.ES256, claims(everything), { jwk: jwk(foreign.ES256) }), /signature/]],
  ['a key that is for encryption', [() => sign(foreign.RS256, claims(everything)), /signature/]],
  ['crit', [() => good('ES256', {}, { crit: ['exp'] }), /crit/]],
  ['b64 false by crit', [() => good('ES256', {}, { crit: ['b64'], b64: false }), /crit/]],
  ['a claim twice', [() => sign(es, `{"sub":"ada","sub":"eve","exp":${now() + 600}}`), /differ/]],
  ['a claim twice, once escaped', [() => sign(es, `{"exp":1,"\\u0065xp":${now() + 600}}`), /differ/]],
  ['alg twice', [() => sign(es, claims(everything), '{"alg":"ES256","alg":"ES256"}'), /differ/]],
  ['more than 8 KiB', [() => good('ES256', { x: 'x'.repeat(8192) }), /8 KiB/]],
  ['expired', [() => good('ES256', { exp: now() - 60 }), /expired/]],
  ['without exp', [() => sign(es, { sub: 'ada', ...everything }), /no exp/]],
  ['exp is a text', [() => good('ES256', { exp: `${now() + 600}` }), /RFC 7519/]],
  ['exp is negative', [() => good('ES256', { exp: -1 }), /RFC 7519/]],
  ['exp beyond all numbers', [() => sign(es, '{"exp":1e400}'), /RFC 7519/]],
  ['not valid yet', [() => good('ES256', { nbf: now() + 60 }), /not valid yet/]],
  ['an audience that nobody asked for', [() => good('ES256', { aud: 'shop' }), /aud/]],
  ['a changed payload', [() => part(good('ES256'), 1, b64(JSON.stringify(claims({ sub: 'root' })))), /signature/]],
  ['an empty signature', [() => part(good('ES256'), 2, ''), /signature/]],
  ['a signature in DER', [() => part(good('ES256'), 2, b64(Buffer.alloc(70, 0x30))), /signature/]],
  ['a signature of zeros', [() => part(good('ES256'), 2, b64(Buffer.alloc(64))), /signature/]],
  ['another key of its kind', [() => sign(foreign.EdDSA, claims(everything), { kid: 'EdDSA' }), /signature/]],
  ['padding', [() => `${good('ES256')}==`, /base64url/]],
  ['two parts', [() => good('ES256').split('.').slice(0, 2).join('.'), /three parts/]],
  ['five parts, as of JWE', [() => `${good('ES256')}.a.b`, /three parts/]],
  ['claims that are a list', [() => sign(es, '[]'), /claims/]],
  ['a sub with a control byte', [() => good('ES256', { sub: 'a\nb' }), /sub/]],
  ['capabilities that are none', [() => good('ES256', { duplex: [{ stream: '/**', may: ['all'] }] }), /may is a list/]],
  ['a bound that is not known', [() => good('ES256', { duplex: [{ stream: '/**', may: ['read'], ip: '::1' }] }), /nothing else/]],
]);

describe('tokens', limit, () => {
  for (const [name, make] of Object.entries(taken))
    test(`RFC 7515: taken: ${name}`, async () => {
      const answer = await ask('POST', `/t${freshPath()}`, make(), { body: 'x' });
      assert.equal(answer.status, 204, answer.body.toString());
    });

  for (const [name, [make, why]] of Object.entries(refused))
    test(`RFC 8725: refused: ${name}`, async () => {
      const where = `/t${freshPath()}`;
      const answer = await ask('POST', where, make(), { body: 'x' });
      assert.equal(answer.status, 401);
      assert.match(answer.headers['www-authenticate'], /^Bearer realm="streams", error="invalid_token", error_description="[^"]*"$/);
      assert.match(JSON.parse(answer.body).detail, why);
      assert.equal((await ask('GET', where, good('ES256'))).status, 404); // nothing was made
    });
});

test('RFC 6750 a token comes by header, query or cookie; not by two at once; other schemes and cookies are nobody', limit, async () => {
  const token = good('ES256');
  const status = async (where, headers) => (await ask('GET', where, null, { headers })).status;
  assert.equal(await status('/t/none', bearer(token)), 404);
  assert.equal(await status('/t/none', { authorization: `bEARER   ${token}` }), 404);
  assert.equal(await status(`/t/none?token=${token}`), 404);
  assert.equal(await status('/t/none', { Cookie: `a=b; session=${token}; c` }), 404);
  assert.equal(await status('/t/none', { Cookie: `session=nonsense`, ...bearer(token) }), 404); // what was said counts
  assert.equal(await status(`/t/none?token=${token}`, bearer(token)), 401);
  assert.equal(await status(`/t/none?token=${token}&token=${token}`), 401);
  assert.equal(await status('/t/none', { Authorization: 'Basic YTpi' }), 401);
  assert.equal(await status('/t/none', { Cookie: `sess=${token}` }), 401);
  assert.equal(await status('/t/none'), 401);
  const challenge = (await ask('GET', '/t/none', null)).headers['www-authenticate'];
  assert.equal(challenge, 'Bearer realm="streams"');
  assert.ok(!server.server.err.includes(token), 'a token is in the log');
});

// ---- capabilities, doors, methods ---------------------------------------------------------------------

async function http2Status(method, where, token, body) {
  const session = http2.connect(server.url);
  const stream = session.request({ ':method': method, ':path': where, ...(body && { 'content-type': 'text/plain' }), ...(token && { authorization: `Bearer ${token}` }) });
  stream.end(body);
  stream.resume();
  const [headers] = await within(new Promise((resolve, reject) => stream.once('response', (...all) => resolve(all)).once('error', reject)), 'an answer');
  stream.destroy();
  session.destroy();
  return headers[':status'];
}

// The status of the handshake; 101: it is open, and closed again.
function webSocketStatus(where, token, options = {}) {
  const socket = new WebSocket(server.url.replace('http', 'ws') + where, options.protocols ?? [], { headers: { ...bearer(token), ...options.headers } });
  return within(new Promise((resolve) => {
    socket.once('open', () => (socket.terminate(), resolve(101)));
    socket.once('unexpected-response', (_, answer) => (answer.resume(), socket.terminate(), resolve(answer.statusCode)));
    socket.once('error', () => {});
  }), 'the handshake');
}

const doors = {
  'GET': ['read', (w, t) => ask('GET', w, t)],
  'HEAD': ['read', (w, t) => ask('HEAD', w, t)],
  'GET last': ['read', (w, t) => ask('GET', `${w}?last=1`, t)],
  'long-poll': ['read', (w, t) => ask('GET', `${w}?offset=-1&live=long-poll`, t)],
  'GET of HTTP/2': ['read', async (w, t) => ({ status: await http2Status('GET', w, t) })],
  'SSE of HTTP/2': ['read', async (w, t) => ({ status: await http2Status('GET', `${w}?offset=-1&live=sse`, t) })],
  'WebSocket': ['read', async (w, t) => ({ status: await webSocketStatus(w, t) })],
  'duplex.v1': ['read', async (w, t) => ({ status: await webSocketStatus(w, t, { protocols: ['duplex.v1'] }) })],
  'WebSocket that only writes': ['publish', async (w, t) => ({ status: await webSocketStatus(`${w}?read=0`, t) })],
  'POST': ['publish', (w, t) => ask('POST', w, t, { body: 'x' })],
  'closing': ['publish', (w, t) => ask('POST', `${w}-2`, t, { headers: { 'Stream-Closed': 'true' }, body: 'x' })],
  'POST of HTTP/2': ['publish', async (w, t) => ({ status: await http2Status('POST', w, t, 'x') })],
  'PUT': ['create', (w, t) => ask('PUT', w, t, { headers: { 'Content-Type': 'text/plain' } })],
  'presence': ['presence', (w, t) => ask('GET', `${w}?presence`, t)],
  'WebSocket that is present': ['read presence', async (w, t) => ({ status: await webSocketStatus(`${w}?presence`, t) })],
  'a fork': ['create read', (w, t) => ask('PUT', `${w}-fork`, t, { headers: { 'Content-Type': 'text/plain', 'Stream-Forked-From': w } })],
  'DELETE': ['delete', (w, t) => ask('DELETE', w, t)], // the last one
};
const actions = ['read', 'publish', 'create', 'presence', 'delete'];

for (const [name, [needs, enter]] of Object.entries(doors))
  test(`${name} needs ${needs}, and nothing else will do`, limit, async () => {
    const where = `/t/m${freshPath().replaceAll('/', '-')}`;
    assert.equal((await ask('POST', where, good('ES256'), { body: 'x' })).status, 204);
    const all = needs.split(' ');
    const lacking = sign(es, claims(can('/t/**', ...actions.filter((a) => a !== all.at(-1)))));
    const elsewhere = sign(es, claims(can('/t/other/**', ...actions)));
    assert.equal((await enter(where, null)).status, 401, 'nobody');
    assert.equal((await enter(where, lacking)).status, 403, 'the other actions');
    assert.equal((await enter(where, elsewhere)).status, 403, 'another path');
    assert.equal((await enter(where, sign(es, claims()))).status, 403, 'no capability');
    // What is refused looks the same whether there is a stream or not.
    const [there, not] = [await enter(where, lacking), await enter(`/t/never-there-${name.length}`, lacking)];
    assert.deepEqual([there.status, there.body?.toString()], [not.status, not.body?.toString()]);
    const status = (await enter(where, sign(es, claims(can('/t/*', ...all))))).status;
    assert.ok([101, 200, 201, 204].includes(status), `with ${needs}: ${status}`);
  });

test('{sub}, known and capabilities work for a token as for a proxy; a token goes before', limit, async () => {
  const token = sign(es, claims());
  const status = async (method, where, given, options) => (await ask(method, where, given, options)).status;
  assert.equal(await status('GET', '/known/none', token), 404);
  assert.equal(await status('GET', '/known/none', sign(es, claims({ sub: undefined, ...everything }))), 401); // no name
  assert.equal(await status('GET', '/u/ada/none', token), 404);
  assert.equal(await status('GET', '/u/eve/none', token), 403);
  assert.equal(await status('GET', '/u/ada/none', null, { headers: { 'X-Who': 'ada' } }), 404);
  assert.equal(await status('GET', '/u/eve/none', token, { headers: { 'X-Who': 'eve' } }), 403);
  const own = sign(es, claims(can('/u/{sub}/**', 'publish')));
  assert.equal(await status('POST', '/u/ada/inbox', own, { body: 'x' }), 204);
  assert.equal(await status('POST', '/u/eve/inbox', own, { body: 'x' }), 403);
});

test('bounds: the size of messages, their rate, the depth of history, an end of its own', limit, async () => {
  const where = `/t${freshPath()}`, writer = good('ES256');
  const bounded = (more) => sign(es, claims({ sub: `ada-${Math.random()}`, duplex: [{ stream: '/t/**', may: ['read', 'publish'], ...more }] }));
  for (const text of ['a', 'b', 'c', 'd']) await ask('POST', where, writer, { body: text });
  assert.equal((await ask('POST', where, bounded({ message_max: 3 }), { body: 'four' })).status, 413);
  const slow = bounded({ rate: 2 });
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await ask('POST', `${where}-rate`, slow, { body: 'x' }));
  assert.deepEqual(answers.map((a) => a.status).sort(), [204, 204, 429]);
  assert.equal(answers.find((a) => a.status === 429).headers['retry-after'], '1');
  const two = bounded({ history: 2 });
  assert.equal((await ask('GET', `${where}?offset=-1`, two)).body.toString(), 'cd');
  assert.equal((await ask('GET', `${where}?last=9`, two)).body.toString(), 'cd');
  const first = (await ask('GET', `${where}?offset=-1&limit=1`, writer)).headers['stream-next-offset'];
  assert.equal((await ask('GET', `${where}?offset=${first}`, two)).status, 410);
  assert.equal((await ask('GET', `${where}?offset=${first}`, writer)).body.toString(), 'bcd');
  const socket = await Session.open(where, two, { query: 'offset=-1' });
  assert.deepEqual(await socket.inbox.takeAll(2), ['c', 'd']);
  socket.socket.terminate();
  assert.equal((await ask('PUT', `${where}-fork`, sign(es, claims({ duplex: [{ stream: '/t/**', may: ['read', 'create'], history: 2 }] })), { headers: { 'Stream-Forked-From': where } })).status, 403);
  assert.equal((await ask('GET', where, bounded({ until: now() - 1 }))).status, 403);
});

// ---- sessions that last ---------------------------------------------------------------------------------

// A WebSocket: messages (of duplex.v1 without their cursors, control as objects), then its end.
class Session {
  inbox = new Inbox();

  static async open(where, token, { v1 = false, query = '', at = server } = {}) {
    const session = new Session();
    session.socket = new WebSocket(`${at.url.replace('http', 'ws')}${where}?${query}`, v1 ? ['duplex.v1'] : [], { headers: bearer(token) });
    session.socket.on('message', (data) => {
      const text = data.toString();
      session.inbox.push(v1 && text[0] === '\n' ? JSON.parse(text) : v1 ? text.slice(text.indexOf('\n') + 1) : text);
    });
    session.closed = new Promise((resolve) => session.socket.once('close', (code, reason) => resolve([code, reason.toString()])));
    session.closed.then((why) => session.inbox.end(why));
    await within(new Promise((resolve, reject) => session.socket.once('open', resolve).once('error', reject)), 'the handshake');
    return session;
  }

  async control() {
    for (;;) {
      const item = await this.inbox.take();
      if (typeof item === 'object' && !('caught_up' in item)) return item;
    }
  }
}

// Expired but for the leeway: it ends about a second from now.
const ending = (more) => sign(es, claims({ exp: now() - 4, ...everything, ...more }));

test('a token that ends closes what needs it with 4401, and leaves what anyone may', limit, async () => {
  const where = `/open${freshPath()}`;
  assert.equal((await ask('POST', where, good('ES256'), { body: 'x' })).status, 204);
  const token = ending();
  const [raw, v1, poll, sse] = await Promise.all([
    Session.open('/t/none', token), Session.open(where, token, { v1: true }),
    ask('GET', '/t/polled?offset=now&live=long-poll', token).catch((error) => error),
    fetch(`${server.url}/t/sse?offset=now&live=sse`, { headers: bearer(token) }).then((answer) => answer.text()),
  ]).then(async ([a, b, c, d]) => [a, b, c, d]);
  assert.deepEqual(await within(raw.closed, '4401'), [4401, 'the token has expired']);
  assert.equal(poll.status, 401);
  assert.match(JSON.parse(poll.body).detail, /expired/);
  assert.equal(typeof sse, 'string');
  assert.deepEqual(await v1.control(), { error: null, status: 401, detail: 'the token has expired' });
  v1.socket.send('1\nhello'); // it only reads now
  assert.equal((await v1.control()).status, 403);
  v1.socket.send(`\n${JSON.stringify({ token: good('ES256') })}`);
  assert.ok((await v1.control()).token.expires > now());
  v1.socket.send('2\nhello');
  assert.equal((await v1.control()).ack, '2');
  v1.socket.terminate();
});

test('{"token":…} renews in time; another subject, fewer rights and nonsense change nothing', limit, async () => {
  const session = await Session.open(`/t${freshPath()}`, ending(), { v1: true });
  const answer = async (token) => (session.socket.send(`\n${JSON.stringify({ token })}`), session.control());
  assert.match((await answer('nonsense')).detail, /three parts/);
  assert.equal((await answer(7)).status, 400);
  assert.equal((await answer(sign(foreign.ES256, claims(everything)))).status, 401);
  assert.equal((await answer(good('ES256', { sub: 'eve' }))).status, 403);
  assert.equal((await answer(sign(es, claims(can('/t/**', 'publish'))))).status, 403);
  const until = now() + 900;
  assert.deepEqual(await answer(good('ES256', { exp: until })), { token: { expires: until } });
  await new Promise((resolve) => setTimeout(resolve, 2500)); // the first one would have ended
  session.socket.send('1\nhello');
  assert.equal((await session.control()).ack, '1');
  session.socket.terminate();
});

test('a revoked id, and all that a subject has had, end at once and stay so after a restart', limit, async () => {
  const revocations = path.join(scratch, 'revoked');
  const start = () => serve('--config', config('revoke.yaml', { token_keys: [jwks], revocations }), '--admin', '127.0.0.1:0');
  let at = await start();
  const revoke = async (body) => (await request(`http://${(await at.says(/admin on http:\/\/([^\s"]+)/))[1]}/api/v1/revocations`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })).status;
  const one = good('ES256', { jti: 'one' }), two = good('ES256', { jti: 'two' }), bob = good('ES256', { sub: 'bob', iat: now() });
  const path_ = `/t${freshPath()}`;
  const [a, b, c] = await Promise.all([one, two, bob].map((token) => Session.open(path_, token, { at })));
  for (const bad of ['', '{}', '[]', '{"jti":""}', '{"jti":"a","sub":"b"}', '{"jti":"a","what":1}', '{"sub":"a","until":-1}', '{"jti":7}'])
    assert.equal(await revoke(bad), 400, bad);
  assert.equal(await revoke({ jti: 'one', until: now() + 900 }), 204);
  assert.deepEqual(await within(a.closed, '4401'), [4401, 'the token was revoked']);
  assert.equal(await revoke({ sub: 'bob' }), 204);
  assert.deepEqual(await within(c.closed, '4401'), [4401, 'the token was revoked']);
  b.socket.send('still there');
  assert.equal(await b.inbox.take(), 'still there');
  b.socket.terminate();
  for (let round = 0; round < 2; round++) {
    const status = async (token) => (await ask('GET', '/t/none', token, { at })).status;
    assert.equal(await status(one), 401);
    assert.equal(await status(two), 404);
    assert.equal(await status(bob), 401);
    assert.equal(await status(good('ES256', { sub: 'bob', iat: now() + 1 })), 404); // a newer one
    await at.stop();
    if (round === 0) at = await start();
  }
});

// ---- keys that change ----------------------------------------------------------------------------------

test('keys are loaded again at SIGHUP, as a whole or not at all; issuers do not share keys of one id', limit, async () => {
  const a = makeKey('ES256'), b = makeKey('ES256');
  const set = file('rotate.json', JSON.stringify({ keys: [jwk(a, { kid: 'k' })] }));
  const other = file('other.json', JSON.stringify(jwk(b, { kid: 'k' })));
  const at = await serve('--config', config('rotate.yaml', { token_keys: [`https://a.example=${set}`, `https://b.example=${other}`], token_audience: 'chat' }));
  const status = async (key, iss, aud = 'chat') => (await ask('GET', '/t/none', sign(key, claims({ iss, aud, ...everything }), { kid: 'k' }), { at })).status;
  assert.equal(await status(a, 'https://a.example'), 404);
  assert.equal(await status(b, 'https://b.example', ['x', 'chat']), 404);
  assert.equal(await status(b, 'https://a.example'), 401);
  assert.equal(await status(a, undefined), 401);
  assert.equal(await status(a, 'https://a.example', 'shop'), 401);
  assert.equal(await status(a, 'https://a.example', null), 401);
  fs.writeFileSync(set, '{"keys":[{"kty":"RSA"}]}');
  at.kill('SIGHUP');
  await at.says(/keys for tokens stay as they were: key .*rotate\.json: a JWK in it is broken/);
  assert.equal(await status(a, 'https://a.example'), 404);
  const c = makeKey('EdDSA');
  fs.writeFileSync(set, JSON.stringify({ keys: [jwk(c, { kid: 'k' })] }));
  at.kill('SIGHUP');
  await at.says(/keys for tokens are loaded again/);
  assert.equal(await status(c, 'https://a.example'), 404);
  assert.equal(await status(a, 'https://a.example'), 401);
  await at.stop();
});

test('duplex serve ends with 78 and a line for keys that are none', limit, async () => {
  for (const [text, why] of [['nonsense', /neither PEM nor a JSON Web Key/], ['{"keys":[]}', /no key for signatures/], ['{"kty":"oct","k":"AAAA"}', /32 bytes or more/], [null, /not found/]]) {
    const name = text === null ? path.join(scratch, 'missing') : file('bad.json', text);
    const { code, err } = await run(duplex, ['serve', '--listen', '127.0.0.1:0', '--access-token-keys', name]);
    assert.equal(code, 78, err);
    assert.match(err, why);
  }
});

// ---- duplex token ----------------------------------------------------------------------------------------

test('duplex token: keys and tokens that the server takes, and what is wrong with one', limit, async () => {
  for (const alg of ['HS256', 'ES384', 'EdDSA']) {
    const key = path.join(scratch, `made-${alg}`);
    assert.equal((await run(duplex, ['token', 'key', '--alg', alg, '--out', key])).code, 0);
    assert.equal(fs.statSync(key).mode & 0o777, 0o600);
    assert.match((await run(duplex, ['token', 'key', '--alg', alg, '--out', key])).err, /exists already/);
    const checks = alg === 'HS256' ? key : `${key}.pub`;
    const made = await run(duplex, ['token', 'make', '--key', key, '--sub', 'ada', '--can', 'read,publish:/t/*', '--id', 'one']);
    assert.equal(made.code, 0, made.err);
    const token = made.out.trim();
    const seen = await run(duplex, ['token', 'inspect', token, '--key', checks]);
    assert.equal(seen.code, 0, seen.err);
    assert.match(seen.out, /"jti":"one".*\n[^]*signature +good/);
    const wrong = await run(duplex, ['token', 'inspect', '-', '--key', checks], part(token, 1, b64('{"exp":1}')));
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /not by this key/);
    const at = await serve('--config', config('cli.yaml', { token_keys: [checks] }));
    assert.equal((await ask('POST', '/t/x', token, { body: 'x', at })).status, 204);
    await at.stop();
  }
  const stale = await run(duplex, ['token', 'inspect', sign(es, claims({ exp: 1 }))]);
  assert.equal(stale.code, 1);
  assert.match(stale.err, /expired/);
  const bad = await run(duplex, ['token', 'make', '--key', path.join(scratch, 'made-HS256'), '--can', 'write:/x']);
  assert.match(bad.err, /may is a list of read, publish/);
});

// ---- origins ------------------------------------------------------------------------------------------------

// Of a server whose own host is HOST, with origins: https://app.example http://b.example:8080.
const origins = [
  ['http://HOST', true], ['HTTP://HOST', true], ['https://HOST', true], ['https://app.example', true],
  ['https://APP.example:443', true], ['http://b.example:8080', true],
  ['null', false], ['https://app.example.evil-good.com', false], ['https://evil-app.example', false],
  ['http://app.example', false], ['https://app.example:8443', false], ['http://127.0.0.1:1', false],
  ['https://app.example, https://app.example', false], ['file://', false],
];

test('RFC 6454 §7 whose pages may: the same for every door, and nothing is done for others', limit, async () => {
  const at = await serve('--origins', 'https://app.example', '--origins', 'http://b.example:8080');
  const where = `/live${freshPath().slice(5)}`;
  for (const [text, isAllowed] of origins) {
    const origin = text.replace('HOST', at.url.slice(7)), headers = { Origin: origin };
    const post = await ask('POST', where, null, { headers, body: 'x', at });
    assert.equal(post.status, isAllowed ? 204 : 403, `POST ${origin}`);
    const named = /example/.test(origin) && isAllowed;
    assert.equal(Boolean(post.headers['access-control-allow-origin']), named, `CORS of ${origin}`);
    assert.equal((await ask('GET', `${where}?offset=-1&limit=1`, null, { headers, at })).status, isAllowed ? 200 : 403, `GET ${origin}`);
    assert.equal((await ask('GET', `${where}?offset=-1&live=long-poll`, null, { headers, at })).status, isAllowed ? 200 : 403, `long-poll ${origin}`);
    const events = await fetch(`${at.url}${where}?offset=-1&live=sse`, { headers });
    assert.equal(events.status, isAllowed ? 200 : 403, `SSE ${origin}`);
    await events.body.cancel();
    const socket = new WebSocket(`${at.url.replace('http', 'ws')}${where}`, { headers });
    const status = await within(new Promise((resolve) => socket.once('open', () => resolve(101)).once('unexpected-response', (_, answer) => resolve(answer.statusCode)).once('error', () => {})), 'a handshake');
    socket.terminate();
    assert.equal(status, isAllowed ? 101 : 403, `WebSocket ${origin}`);
  }
  const count = origins.filter(([, isAllowed]) => isAllowed).length;
  assert.equal((await ask('GET', `${where}?offset=-1`, null, { at })).body.toString(), 'x'.repeat(count)); // of programs, too
  await at.stop();
});

test('by default pages of the same host only; all of them do not go with cookies and certificates', limit, async () => {
  const at = await serve();
  assert.equal((await ask('POST', '/live/a', null, { headers: { Origin: 'https://app.example' }, body: 'x', at })).status, 403);
  assert.equal((await ask('POST', '/live/a', null, { headers: { Origin: at.url }, body: 'x', at })).status, 204);
  await at.stop();
  for (const more of [['--access-token-keys', jwks, '--access-token-cookie', 'session'], ['--tls', 'dev', '--tls-client-ca', jwks]]) {
    const { code, err } = await run(duplex, ['serve', '--listen', '127.0.0.1:0', '--origins', '*', ...more]);
    assert.equal(code, 78);
    assert.match(err, /named origins/);
  }
});

test('a redirect to https leaves the token out', limit, async () => {
  process.env.XDG_STATE_HOME = scratch;
  const at = await serve('--tls', 'dev', '--redirect', '127.0.0.1:0');
  const [, port] = await at.says(/to https:\/\/ leads http:\/\/127\.0\.0\.1:(\d+)/);
  const location = async (query) => (await request(`http://127.0.0.1:${port}/live/a${query}`)).headers.location.replace(/^https:\/\/[^/]*/, '');
  assert.equal(await location('?offset=-1&token=a.b.c&last'), '/live/a?offset=-1&last');
  assert.equal(await location('?token=a.b.c'), '/live/a');
  assert.equal(await location('?offset=-1'), '/live/a?offset=-1');
  assert.ok(!at.err.includes('a.b.c'));
  await at.stop();
});

test('duplex serve does not start where others could write and nobody said so', limit, async () => {
  for (const [listen, isLocal] of [['0.0.0.0:0', false], ['[::]:0', false], ['*:0', false], ['127.9.9.9:0', true], ['[::1]:0', true], [`unix:${path.join(scratch, 's')}`, true]]) {
    const program = new Program(duplex, ['serve', '--listen', listen]);
    if (isLocal) {
      await program.says(/listening on/);
      program.kill();
      assert.equal(await program.exit(), 0);
    } else {
      assert.equal(await program.exit(), 78);
      assert.match(program.err, /anyone who reaches it could write to \/s\/.*--access-anonymous-write/);
    }
  }
  for (const more of [['--access-anonymous-write'], ['--config', config('closed.yaml', { token_keys: [jwks] })]]) {
    const program = new Program(duplex, ['serve', '--listen', '*:0', ...more]);
    await program.says(/listening on/);
    program.kill();
    assert.equal(await program.exit(), 0);
  }
});

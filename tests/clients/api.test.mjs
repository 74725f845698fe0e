// /api/v1 on the admin listener, as its own OpenAPI document says.
// SPDX-License-Identifier: MIT
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Server, duplex, history, post, request } from './helper.mjs';
import { limit } from './scenes.mjs';

const Ajv = createRequire(import.meta.url)('ajv/dist/2020').default;
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-api-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));

async function start(...args) {
  const server = await Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', ...args]);
  [, server.admin] = await server.says(/admin on ([^\s"]+)/);
  return server;
}

async function documentOf(server) {
  const answer = await request(`${server.admin}/api/v1/openapi.json`);
  assert.equal(answer.status, 200);
  return JSON.parse(answer.body);
}

const api = async (server, name, options) => {
  const answer = await request(`${server.admin}/api/v1/${name}`, options);
  return { ...answer, json: answer.body.length > 0 ? JSON.parse(answer.body) : undefined };
};

test('every operation, called as its own examples say, answers as its document says', limit, async () => {
  const server = await start('--memory', '--workers', '2');
  const openapi = await documentOf(server);
  const ajv = new Ajv({ strict: false });
  ajv.addSchema(openapi, 'api');
  const check = (response, pointer, type) => {
    const schema = ajv.compile({ $ref: `api#${pointer}/content/${type.replace('/', '~1').replace('+', '%2B')}/schema` });
    assert.ok(schema(JSON.parse(response.body)), `${pointer}: ${JSON.stringify(schema.errors)} in ${response.body}`);
  };
  await post(`${server.url}/live/orders`, 'text/plain', 'one');
  await post(`${server.url}/live/zebras`, 'text/plain', 'one');

  let called = 0;
  for (const [place, methods] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      let url = place;
      const query = new URLSearchParams();
      for (const parameter of operation.parameters ?? []) {
        assert.notEqual(parameter.example, undefined, `${place}: an example of ${parameter.name}`);
        if (parameter.in === 'path') url = url.replace(`{${parameter.name}}`, parameter.example);
        else query.set(parameter.name, parameter.example);
      }
      const content = operation.requestBody?.content['application/json'];
      const answer = await request(`${server.admin}${url}?${query}`, {
        method: method.toUpperCase(),
        headers: content ? { 'Content-Type': 'application/json' } : {},
        body: content ? JSON.stringify(content.example) : '',
      });
      const [status] = Object.keys(operation.responses);
      assert.equal(answer.status, Number(status), `${method} ${url}: ${answer.body}`);
      const pointer = `/paths/${place.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${status}`;
      if (operation.responses[status].content) check(answer, pointer, 'application/json');
      else assert.equal(answer.body.length, 0);
      called++;
    }
  }
  assert.equal(called, 6);
  assert.equal(await server.exit(), 0, 'the last one was drain');
});

test('streams are listed in the order of their paths, page by page, each once', limit, async () => {
  const server = await start('--memory', '--workers', '2');
  const names = Array.from({ length: 57 }, (_, i) => `/live/${i % 2 ? 'odd' : 'even'}/${i}`);
  for (const name of names) await post(server.url + name, 'text/plain', name);
  await request(`${server.url}/s/other`, { method: 'PUT', headers: { 'Content-Type': 'application/json' } });

  const all = async (prefix, limit) => {
    const found = [];
    let after = '';
    for (let pages = 0; pages < 100; pages++) {
      const { json } = await api(server, `streams?limit=${limit}&prefix=${encodeURIComponent(prefix)}&after=${encodeURIComponent(after)}`);
      assert.ok(json.streams.length <= limit);
      found.push(...json.streams.map((stream) => stream.path));
      if (json.next === null) return found;
      after = json.next;
    }
    assert.fail('no end');
  };
  const sorted = (list) => list.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await all('/live/e', 7), sorted(names.filter((name) => name.includes('even'))));
  assert.deepEqual(await all('', 1000), sorted([...names, '/s/other']));
  assert.deepEqual(await all('', 1), sorted([...names, '/s/other']));
  assert.deepEqual(await all('/nowhere', 5), []);
  for (const wrong of ['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', 'after=%ff'])
    assert.equal((await api(server, `streams?${wrong}`)).status, 400, wrong);
  await server.stop();
});

test('a stream is described as it is, also when only the disk has it; deleted it is gone', limit, async () => {
  const data = path.join(directory, 'data');
  let server = await start('--no-memory', '--data', data);
  await request(`${server.url}/s/kept`, { method: 'PUT', headers: { 'Content-Type': 'application/json' } });
  for (let i = 0; i < 3; i++) await post(`${server.url}/s/kept`, 'application/json', `{"n":${i}}`);
  await server.stop();
  server = await start('--no-memory', '--data', data);
  const found = await api(server, 'streams/s/kept');
  assert.equal(found.status, 200);
  assert.deepEqual({ ...found.json, start: 0, tail: 0, memory_bytes: 0 }, {
    path: '/s/kept', type: 'application/json', start: 0, tail: 0, messages: 3, memory_bytes: 0, subscribers: 0,
    closed: false, durability: 'disk', prefix: '/s/', kept: { count: null, bytes: null, age_ms: null },
  });
  assert.equal(found.json.tail, (await request(`${server.url}/s/kept`, { method: 'HEAD' })).headers['stream-next-offset']);
  assert.equal((await api(server, 'streams/s/kept', { method: 'DELETE' })).status, 204);
  assert.equal((await api(server, 'streams/s/kept', { method: 'DELETE' })).status, 404);
  for (const missing of ['streams/s/kept', 'streams/s/never', 'streams/no/namespace', 'streams/', 'streams/s/']) {
    const answer = await api(server, missing);
    assert.equal(answer.status, 404, missing);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
  }
  await server.stop();
});

test('one message goes to many streams; what became of each is told', limit, async () => {
  const server = await start('--memory', '--workers', '2');
  const publish = (body) => api(server, 'publish', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  const streams = Array.from({ length: 1000 }, (_, i) => `/live/many/${i}`);
  const { status, json } = await publish({ streams, json: { price: 1.5, text: 'é"' } });
  assert.equal(status, 200);
  assert.deepEqual(json.results.map((result) => [result.stream, result.status]), streams.map((name) => [name, 200]));
  assert.equal((await history(`${server.url}/live/many/999`)).body, '[{"price":1.5,"text":"é\\""}]');
  const some = await publish({ streams: ['/live/text', '/s/never', '/nowhere/x', '/live/many/0', '/live/a/../b'], payload: 'text' });
  assert.deepEqual(some.json.results.map((result) => result.status), [200, 404, 404, 409, 404]);
  assert.match(some.json.results[0].offset, /^[0-9a-f_]+$/);
  for (const wrong of ['', 'x', '[]', '{}', { streams: [] }, { streams: ['/live/a'] }, { streams: '/live/a', payload: 'x' }, { streams: [1], payload: 'x' },
    { streams: ['/live/a'], payload: 'x', json: 1 }, { streams: ['/live/a'], payload: 1 }, { streams: ['/live/a'], payload: 'x', type: 1 },
    { streams: Array(1001).fill('/live/a'), payload: 'x' }])
    assert.equal((await publish(wrong)).status, 400, JSON.stringify(wrong).slice(0, 60));
  const duplicate = `{"streams":["/live/a"],"streams":["/live/b"],${'"type":"text/plain",'.repeat(200)}"payload":"${'y'.repeat(1000)}"}`;
  assert.equal((await publish(duplicate)).status, 200);
  await server.stop();
});

test('a token is asked for at every operation', limit, async () => {
  fs.writeFileSync(path.join(directory, 'token'), 'a-token-of-visible-characters\n');
  const server = await start('--memory', '--admin-token-file', path.join(directory, 'token'));
  const openapi = await documentOf(server);
  for (const [place, methods] of Object.entries(openapi.paths))
    for (const method of Object.keys(methods))
      assert.equal((await request(server.admin + place.replace('{path}', 'live/x'), { method: method.toUpperCase() })).status, 401, `${method} ${place}`);
  const Authorization = 'Bearer a-token-of-visible-characters';
  assert.equal((await request(`${server.admin}/api/v1/server`, { headers: { Authorization } })).status, 200);
  await server.stop();
});

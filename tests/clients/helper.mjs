// Starts and stops the real programs, and waits for what they say.
// Is:     programs by pid, an inbox with deadlines, small fetch helpers.
// Is not: the scenes themselves (scenes.mjs, *.test.mjs).
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const build = path.resolve(process.env.DUPLEX_BUILD ?? path.join(here, '../../build'));
export const patience_ms = 10_000; // for one thing to happen; a sanitized build is slow, not this slow

// Servers keep their streams in memory, but where a scene says --no-memory --data DIR.
process.env.DUPLEX_MEMORY ??= 'true';

// What no program of ours may ever say.
const alarms = /Sanitizer|runtime error:|duplex: bug:/;

export function within(promise, what, ms = patience_ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// What arrived, in order, to be taken with a deadline.
export class Inbox {
  #items = [];
  #waiting = null;
  ended = null; // set once: why no more can arrive

  push(item) {
    this.#items.push(item);
    this.#waiting?.();
  }

  end(why) {
    this.ended ??= why ?? 'the end';
    this.#waiting?.();
  }

  async take(ms = patience_ms) {
    const until = Date.now() + ms;
    while (this.#items.length === 0) {
      if (this.ended) throw new Error(`nothing more will arrive: ${JSON.stringify(this.ended)}`);
      const left = until - Date.now();
      if (left <= 0) throw new Error(`nothing arrived within ${ms} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => (clearTimeout(timer), resolve());
      });
      this.#waiting = null;
    }
    return this.#items.shift();
  }

  async takeAll(count) {
    const taken = [];
    while (taken.length < count) taken.push(await this.take());
    return taken;
  }

  get waiting() {
    return this.#items.length;
  }
}

// Programs that a failed test left behind would keep the runner waiting.
const running = new Set();
after(() => running.forEach((program) => program.kept || program.child.kill('SIGKILL')));

// A running program: its output so far, its lines as an inbox, its end.
export class Program {
  constructor(command, args, options = {}) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.name = path.basename(command);
    this.out = Buffer.alloc(0);
    this.err = '';
    this.lines = new Inbox();
    running.add(this);
    let rest = '';
    this.child.stdout.on('data', (data) => {
      this.out = Buffer.concat([this.out, data]);
      const pieces = (rest + data).split('\n');
      rest = pieces.pop();
      for (const line of pieces) this.lines.push(line);
    });
    this.child.stderr.on('data', (data) => (this.err += data));
    this.child.stdin.on('error', () => {}); // the program ended first: its exit code tells
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', (error) => (this.lines.end(error.message), reject(error)));
      this.child.on('close', (code, signal) => {
        running.delete(this);
        this.lines.end({ code, signal, err: this.err });
        resolve({ code, signal });
      });
    });
    this.ended.catch(() => {});
  }

  // Waits until stderr matches; returns the match.
  async says(pattern) {
    const until = Date.now() + patience_ms;
    for (;;) {
      const found = this.err.match(pattern);
      if (found) return found;
      if (this.lines.ended) throw new Error(`${this.name} ended: ${JSON.stringify(this.lines.ended)}`);
      if (Date.now() > until) throw new Error(`${this.name} did not say ${pattern}; stderr: ${this.err}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  write(text) {
    this.child.stdin.write(text);
  }

  // Waits for the end; the exit code. A program that hangs is killed, and that is an error.
  async exit(ms = patience_ms) {
    try {
      const { code, signal } = await within(this.ended, `${this.name} to end`, ms);
      assert.doesNotMatch(this.err, alarms);
      return code ?? signal;
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
  }

  kill(signal = 'SIGTERM') {
    this.child.kill(signal);
  }
}

// Runs to the end; { code, out, err }.
export async function run(command, args, input = '', ms = patience_ms) {
  const program = new Program(command, args);
  program.child.stdin.end(input);
  const code = await program.exit(ms);
  return { code, out: program.out.toString(), err: program.err };
}

process.env.DUPLEX_ADMIN ??= 'none'; // one address for all the servers of all the tests would be a lottery

export const duplex = path.join(build, 'duplex');
export const echo = path.join(build, 'examples/echo');

// A server of ours on a port of its own. stop() also checks that it ended well.
export class Server extends Program {
  static async start(command, args) {
    const server = new Server(command, args);
    const [, url] = await server.says(/listening on ([^\s"]+)/);
    server.url = url;
    server.ws = url.replace(/^http/, 'ws');
    server.host = url.replace(/^https?:\/\//, '');
    server.port = Number(url.match(/:(\d+)$/)?.[1]);
    return server;
  }

  async stop() {
    this.kill('SIGTERM');
    const code = await this.exit();
    const drains = this.name === 'duplex'; // an example may leave signals to the system
    assert.ok(code === 0 || (!drains && code === 'SIGTERM'), `ended with ${code}; stderr: ${this.err}`);
  }
}

export const serve = (...args) => Server.start(duplex, ['serve', '--listen', '127.0.0.1:0', ...args]);
export const serveEcho = (...args) => Server.start(echo, ['--listen', '127.0.0.1:0', ...args]);

let names = 0;
export const freshPath = (hint = 'scene') => `/live/${hint}-${process.pid}-${++names}`;

// Whom clients in this process believe over https and wss: the authority in this PEM file.
export let ca;
export const believe = (file) => (ca = fs.readFileSync(file));

// The plainest HTTP client: node:http, one connection per request. { status, headers, body }.
export async function request(url, { method = 'GET', headers = {}, body = '', ...options } = {}) {
  const scheme = url.startsWith('https:') ? https : http;
  const outgoing = scheme.request(url, { method, headers, agent: false, timeout: patience_ms, ca, ...options });
  outgoing.end(body);
  const [response] = await within(once(outgoing, 'response'), `an answer from ${url}`);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

export async function post(url, type, body) {
  const answer = await request(url, { method: 'POST', headers: { 'Content-Type': type }, body });
  assert.equal(answer.status, 204, answer.body.toString());
  assert.ok(answer.headers['stream-next-offset'], 'Stream-Next-Offset');
  return answer.headers['stream-next-offset'];
}

export async function history(url, offset = '-1') {
  const answer = await request(`${url}?offset=${encodeURIComponent(offset)}`);
  assert.equal(answer.status, 200, answer.body.toString());
  assert.equal(answer.headers['stream-up-to-date'], 'true');
  return { body: answer.body.toString(), type: answer.headers['content-type'], next: answer.headers['stream-next-offset'] };
}

// Waits until the server has taken in what other connections sent: polls the history.
export async function historyBecomes(url, expected) {
  const until = Date.now() + patience_ms;
  for (;;) {
    const answer = await request(`${url}?offset=-1`);
    if (answer.status === 200 && answer.body.toString() === expected) return;
    if (Date.now() > until) assert.equal(answer.body.toString(), expected);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

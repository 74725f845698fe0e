// WebSockets over HTTP/2 (RFC 8441): npm's ws on a stream of Node's http2, which has extended CONNECT but no
// WebSocket.
// Is:     a session for each server (or one of the caller's), a client for the scenes.
// Is not: the scenes (scenes.mjs).
// SPDX-License-Identifier: MIT
import http2 from 'node:http2';
import { once } from 'node:events';
import WebSocket from 'ws';
import { ca, Inbox, patience_ms, within } from './helper.mjs';

export async function openSession(url, options = {}) {
  const session = http2.connect(url, { ca, ...options });
  session.on('error', () => {}); // whoever waits for something hears of it there
  await within(once(session, 'remoteSettings'), 'SETTINGS');
  return session;
}

// A plain request; { status, headers, body }.
export async function ask(session, path, { method = 'GET', headers = {}, body } = {}) {
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = await within(once(stream, 'response'), `an answer to ${method} ${path}`);
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { status: answer[':status'], headers: answer, body: Buffer.concat(chunks) };
}

// The stream of an extended CONNECT and the answer's fields.
export async function tunnel(session, path, headers = {}) {
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path,
    'sec-websocket-version': '13', ...headers }, { endStream: false });
  stream.on('error', () => {});
  const [answer] = await within(once(stream, 'response'), `an answer to CONNECT ${path}`);
  return { stream, answer };
}

// A WebSocket of npm's ws on such a stream.
export async function webSocket(session, path, headers = {}) {
  const { stream, answer } = await tunnel(session, path, headers);
  if (answer[':status'] !== 200) throw new Error(`refused with ${answer[':status']}`);
  const socket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: patience_ms });
  const inbox = new Inbox();
  socket._isServer = false; // it masks, and takes what is not masked
  socket._protocol = answer['sec-websocket-protocol'] ?? '';
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => inbox.push(isBinary ? data : data.toString()));
  socket.on('close', (code, reason) => inbox.end({ code, reason: reason.toString() }));
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false });
  return { inbox, socket, stream, answer, send: (data) => socket.send(data), close: () => socket.terminate() };
}

// A client for playWebSocket: every connection of it is a stream of the same session.
export function h2Client() {
  let session;
  return {
    async connect(url) {
      const { origin, pathname, search } = new URL(url.replace(/^ws/, 'http'));
      if (!session || session.closed || session.destroyed) {
        session = await openSession(origin);
        session.unref();
      }
      return webSocket(session, pathname + search);
    },
  };
}

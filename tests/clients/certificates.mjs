// Certificates made by openssl, in a directory that goes with the test file.
// Is:     authorities, certificates for hosts and for clients, what a server shows.
// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import tls from 'node:tls';
import { run } from './helper.mjs';

export const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'duplex-tls-'));
after(() => fs.rmSync(directory, { recursive: true }));

const kinds = { ecdsa: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['rsa:2048'] };

// { cert, key }: files. names: as in subjectAltName; issuer: what this gave before, else it is self-signed.
export async function certificate(name, { cn = name, names, kind = 'ecdsa', issuer, usage } = {}) {
  const made = { cert: path.join(directory, `${name}.pem`), key: path.join(directory, `${name}-key.pem`) };
  const extensions = [names && `subjectAltName=${names}`, usage && `extendedKeyUsage=${usage}`].filter(Boolean);
  const request = path.join(directory, `${name}.csr`);
  const { code, err } = await run('openssl', ['req', '-new', '-newkey', ...kinds[kind], '-nodes', '-subj', `/CN=${cn}`,
    ...extensions.flatMap((text) => ['-addext', text]), '-keyout', made.key,
    ...(issuer ? ['-out', request] : ['-x509', '-days', '2', '-out', made.cert])]);
  assert.equal(code, 0, err);
  if (!issuer) return made;
  const signed = await run('openssl', ['x509', '-req', '-in', request, '-copy_extensions', 'copy', '-CA', issuer.cert,
    '-CAkey', issuer.key, '-days', '2', '-out', made.cert]);
  assert.equal(signed.code, 0, signed.err);
  return made;
}

export const forHost = (name, host, more = {}) => certificate(name, { cn: host, names: `DNS:${host}`, ...more });

// The common name in the certificate that the server shows to who asks for `servername`.
export const shown = (port, servername, options) => new Promise((resolve, reject) => {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...options }, () => {
    resolve(socket.getPeerCertificate().subject.CN);
    socket.end();
  }).on('error', reject);
});

// The options of a server with these, in their order.
export const served = (...made) => made.flatMap(({ cert, key }) => ['--tls-cert', cert, '--tls-key', key]);

// Tokens made with Node's crypto: an implementation that has nothing of the server's.
// Is:     keys of every algorithm as PEM or JWK, signing whatever header and claims a test wants.
// Is not: what the server says of them (access.test.mjs).
// SPDX-License-Identifier: MIT
import crypto from 'node:crypto';

const url64 = (data) => Buffer.from(data).toString('base64url');
export const now = () => Math.floor(Date.now() / 1000);

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

// { alg, secret } or { alg, publicKey, privateKey }
export function makeKey(alg) {
  if (alg.startsWith('HS')) return { alg, secret: crypto.randomBytes(Number(alg.slice(2)) / 8) };
  if (alg === 'EdDSA') return { alg, ...crypto.generateKeyPairSync('ed25519') };
  if (alg.startsWith('ES')) return { alg, ...crypto.generateKeyPairSync('ec', { namedCurve: curves[alg] }) };
  return { alg, ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

export function jwk(key, more = {}) {
  const own = key.secret ? { kty: 'oct', k: url64(key.secret) } : key.publicKey.export({ format: 'jwk' });
  return { ...own, alg: key.alg, ...more };
}

export const pem = (key) => key.publicKey.export({ type: 'spki', format: 'pem' });

function signature(alg, key, text) {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS')) return crypto.createHmac(hash, key.secret).update(text).digest();
  if (alg === 'EdDSA') return crypto.sign(null, Buffer.from(text), key.privateKey);
  if (alg.startsWith('ES')) return crypto.sign(hash, Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const padding = alg.startsWith('PS') ? crypto.constants.RSA_PKCS1_PSS_PADDING : crypto.constants.RSA_PKCS1_PADDING;
  return crypto.sign(hash, Buffer.from(text), { key: key.privateKey, padding, ...(alg.startsWith('PS') && { saltLength: Number(alg.slice(2)) / 8 }) });
}

// header and claims: objects, or JSON text as it is.
export function sign(key, claims, header = {}, alg = key.alg) {
  const json = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  const head = typeof header === 'string' ? header : { alg, typ: 'JWT', ...header };
  const text = `${url64(json(head))}.${url64(json(claims))}`;
  return `${text}.${url64(signature(alg, key, text))}`;
}

// Good for ten minutes.
export const claims = (more = {}) => ({ sub: 'ada', exp: now() + 600, ...more });
export const can = (stream, ...may) => ({ duplex: [{ stream, may }] });

// The browser client's tests, in pages of Firefox.
// SPDX-License-Identifier: MIT
process.env.CLIENT_IN = 'Firefox';
await import('./client_js.test.mjs');
await import('./client_js_faults.test.mjs');

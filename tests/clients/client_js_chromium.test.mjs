// The browser client's tests, in pages of Chromium.
// SPDX-License-Identifier: MIT
process.env.CLIENT_IN = 'Chromium';
await import('./client_js.test.mjs');
await import('./client_js_faults.test.mjs');

// The public conformance suite of Durable Streams, against the server whose URL is in DUPLEX_URL.
// Run by vitest, which ../durable_streams.test.mjs starts.
// SPDX-License-Identifier: MIT
import { runConformanceTests } from '@durable-streams/server-conformance-tests';

runConformanceTests({
  baseUrl: process.env.DUPLEX_URL,
  longPollTimeoutMs: Number(process.env.DUPLEX_WAIT_MS),
});

/* The check of the checker: a model server, good once and then broken on purpose in many ways.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_SELFTEST_H
#define DX_CONFORMANCE_WS_SELFTEST_H

/* Prints TAP; 0 if the good server passes and each broken one is caught where it must be. */
int wst_selftest(int jobs);

#endif

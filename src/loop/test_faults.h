/* Seeded faults for the wrapped system calls of test_faults.c.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_TEST_FAULTS_H
#define DX_LOOP_TEST_FAULTS_H

#include "base/platform.h"

enum { FAULT_NONE, FAULT_AGAIN, FAULT_INTR, FAULT_SHORT, FAULT_RESET };

/* What happens to this call: nothing while faults are off. Resets come only if they are allowed. */
int next_fault(void);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loops whose length only the kernel's data knows. From 6.4 on a program may
 * iterate by a kfunc, and the verifier looks at the body once; before, it
 * follows every round, so there may only be a few.
 */
#ifndef ITERFS_LOOP_H
#define ITERFS_LOOP_H

#include "kernel.h"

/* Runs `step` until it is true: `many` times at most, or `few` before 6.4. Says whether it was. */
#define repeat(many, few, step)                                                                    \
	({                                                                                         \
		bool done = false;                                                                 \
		int round;                                                                         \
		if (bpf_ksym_exists(bpf_iter_num_new)) {                                           \
			bpf_for(round, 0, many) if ((done = (step))) break;                        \
		} else {                                                                           \
			for (round = 0; round < (few); round++)                                    \
				if ((done = (step)))                                               \
					break;                                                     \
		}                                                                                  \
		done;                                                                              \
	})

#endif

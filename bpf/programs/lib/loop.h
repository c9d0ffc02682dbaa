/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Loops whose length depends on the kernel's data. Since 6.4 a program can loop by
 * bpf_for(), whose body the verifier checks once. Before, the verifier follows every
 * round, so only a few rounds are possible.
 */
#ifndef ITERFS_LOOP_H
#define ITERFS_LOOP_H

#include "kernel/types.h"

/*
 * Runs `step`, which may use the number of the round, until it is true, at most `many`
 * times; before 6.4, at most `few` times. Whether it became true.
 */
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

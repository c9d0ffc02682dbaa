/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Does nothing for each open file, so that only the kernel's walk remains. */
#include "lib/kernel/iterators.h"

SEC("iter/task_file")
int nothing(struct bpf_iter__task_file *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

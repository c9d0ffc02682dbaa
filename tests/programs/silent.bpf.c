// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Loops TURNS times for each kernel symbol, and prints nothing. */
#include "iter.h"

struct bpf_iter__ksym {
	struct bpf_iter_meta *meta;
	struct kallsym_iter *ksym;
} __attribute__((preserve_access_index));

static long nothing(__u32 index, void *context)
{
	return 0;
}

SEC("iter/ksym")
int silent(struct bpf_iter__ksym *ctx)
{
	bpf_loop(TURNS, nothing, NULL, 0);
	return 0;
}

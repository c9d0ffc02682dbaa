// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A line for each element of a map: its number in the pass, key and value; then the sum. */
#include "iter.h"

/* A per-cpu map has a value for each processor, at a multiple of eight bytes. */
#ifndef CPUS
#define CPUS 1
#endif

#ifndef END
#define END "sum"
#endif

/* "iter.s/…" makes the program sleepable, which this target does not allow. */
#ifndef SECTION
#define SECTION "iter/bpf_map_elem"
#endif

static __u64 sum;

SEC(SECTION)
int elements(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	__u32 *key = ctx->key;
	__u64 *value = ctx->value;
	__u64 of_all = 0;

	if (ctx->meta->seq_num == 0)
		sum = 0;
	if (!key || !value) {
		BPF_SEQ_PRINTF(seq, END " %llu\n", sum);
		return 0;
	}
#pragma unroll
	for (int cpu = 0; cpu < CPUS; cpu++)
		of_all += value[cpu];
	sum += of_all;
	BPF_SEQ_PRINTF(seq, "%llu %u %llu\n", ctx->meta->seq_num, *key, of_all);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The verifier refuses this: the task is NULL in the last call of a pass. */
#include "iter.h"

SEC("iter/task")
int careless(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;

	BPF_SEQ_PRINTF(seq, "%d\n", ctx->task->pid);
	return 0;
}

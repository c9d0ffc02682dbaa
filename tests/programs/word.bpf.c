// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Prints WORD once per pass, or LINES times, which may be more than the buffer holds. */
#include "iter.h"

#ifndef LINES
#define LINES 1
#endif

SEC("iter/task")
int say(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	/* The last call of a pass has no task, but a seq_num. */
	if (!task || ctx->meta->seq_num >= LINES)
		return 0;
	BPF_SEQ_PRINTF(seq, WORD "\n");
	return 0;
}

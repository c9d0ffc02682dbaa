// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Prints WORD once a pass, and so many lines of it that one buffer does not hold them. */
#include "iter.h"

#ifndef LINES
#define LINES 1
#endif

SEC("iter/task")
int say(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	/* The last call of a pass has no task, and a number like any other. */
	if (!task || ctx->meta->seq_num >= LINES)
		return 0;
	BPF_SEQ_PRINTF(seq, WORD "\n");
	return 0;
}

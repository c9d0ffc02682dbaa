// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Programs at the kernel's limits: too much output for one object, the same object again. */
#include "iter.h"

static char kilobyte[1024];
static int calls;

/* Writes 40 KiB for each object; the kernel's buffer holds 32. */
SEC("iter/task")
int huge(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	for (int i = 0; i < 40; i++)
		bpf_seq_write(ctx->meta->seq, kilobyte, sizeof(kilobyte));
	return 0;
}

/* Prints two lines, and then too much. */
SEC("iter/task")
int huge_later(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	if (ctx->meta->seq_num < 2) {
		BPF_SEQ_PRINTF(seq, "%llu\n", ctx->meta->seq_num);
		return 0;
	}
	for (int i = 0; i < 40; i++)
		bpf_seq_write(seq, kilobyte, sizeof(kilobyte));
	return 0;
}

/* Returns 1 three times for the first object, so that the kernel calls it again. */
SEC("iter/task")
int again(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task || ctx->meta->seq_num > 1)
		return 0;
	if (ctx->meta->seq_num == 0 && calls < 3) {
		calls++;
		return 1;
	}
	BPF_SEQ_PRINTF(seq, "%llu %d %d\n", ctx->meta->seq_num, task->pid, calls);
	return 0;
}

/* Prints the same objects once each. */
SEC("iter/task")
int once(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task || ctx->meta->seq_num > 1)
		return 0;
	BPF_SEQ_PRINTF(seq, "%llu %d\n", ctx->meta->seq_num, task->pid);
	return 0;
}

/* Always asks for the same object. */
SEC("iter/task")
int for_ever(struct bpf_iter__task *ctx)
{
	return 1;
}

/* Not an iterator program. */
SEC("raw_tp/sys_enter")
int no_iterator(void *ctx)
{
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A row of one column, COLUMN, whose bytes are all ones. */
#include "iter.h"
#include "iterfs/row.h"

struct part {
	__u32 member DOC("member of a part");
};

struct ROW("a column") row {
	COLUMN DOC("the column");
};

SEC("iter/task")
int show(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct row row;

	if (!task || ctx->meta->seq_num)
		return 0;
	__builtin_memset(&row, 0xff, sizeof(row));
	write_row(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* One row per pass with the column that COLUMN declares; all its bytes are 0xff. */
#include "iter.h"
#include <iterfs/row.h>

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

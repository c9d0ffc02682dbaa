// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A long line for each cgroup: its number in the walk and its id. With END, one more line
 * at the end of the walk.
 */
#include "iter.h"

#define TEN "----------"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

SEC("iter/cgroup")
int padded(struct bpf_iter__cgroup *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct cgroup *cgroup = ctx->cgroup;

	if (!cgroup) {
#ifdef END
		BPF_SEQ_PRINTF(seq, "end\n");
#endif
		return 0;
	}
	BPF_SEQ_PRINTF(seq, "%llu %llu " HUNDRED "\n", ctx->meta->seq_num, cgroup->kn->id);
	return 0;
}

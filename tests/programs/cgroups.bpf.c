// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Long lines of cgroups: the number in the walk and the id. With END, a line where the
 * kernel says that the walk is over. */
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

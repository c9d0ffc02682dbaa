// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Several programs, one of them sleepable, over targets whose walks can be restricted. */
#include "iter.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

const volatile int shown = 1;
static __u64 passes;

SEC("iter.s/task")
int thread_ids(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u64 *before, first = 1;
	__u32 tid;

	if (!task) {
		passes++;
		return 0;
	}
	tid = task->pid;
	before = bpf_map_lookup_elem(&seen, &tid);
	if (before)
		*before += 1;
	else
		bpf_map_update_elem(&seen, &tid, &first, BPF_ANY);
	if (shown)
		BPF_SEQ_PRINTF(seq, "%d %d %llu %llu\n", task->tgid, tid, before ? *before : first,
			       passes);
	return 0;
}

SEC("iter/task_file")
int descriptors(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;
	BPF_SEQ_PRINTF(seq, "%d %d %u\n", task->tgid, task->pid, ctx->fd);
	return 0;
}

SEC("iter/cgroup")
int cgroups(struct bpf_iter__cgroup *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct cgroup *cgroup = ctx->cgroup;

	if (!cgroup)
		return 0;
	BPF_SEQ_PRINTF(seq, "%llu\n", cgroup->kn->id);
	return 0;
}

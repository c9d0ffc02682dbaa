// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/groups.h"
#include "lib/kernel/iterators.h"
#include "lib/pid.h"
#include "lib/reader.h"
#include "lib/task.h"

struct ROW("a thread state, with the number of its threads") tasks_by_state {
	enum task_state state KEY ABSENT(-1) DOC("state, as in /proc/<pid>/status");
	u64 threads DOC("number of threads");
	u64 processes DOC("the first threads of processes among them");
};

struct state_key {
	enum task_state state;
};

GROUPS(struct state_key, struct tasks_by_state);

SEC("iter/task")
int sum_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct reader *reader = current_reader();
	struct tasks_by_state *row;
	struct state_key key;

	if (!task || !reader)
		return 0;
	if (!visible_process(reader, task))
		return 0;
	key.state = state_of(task);
	row = group_row(seq, &key);
	if (!row)
		return 0;
	row->threads++;
	if (is_leader(task))
		row->processes++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

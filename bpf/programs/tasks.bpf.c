// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/task.h"
#include "lib/pid.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"
#include "lib/task.h"

struct ROW("a thread") task {
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	u32 tid KEY DOC("thread id, in the same namespace");
	u32 ppid ABSENT(-1) DOC("process id of the parent; 0 if it is outside the reader's pid namespace");
	struct task_ids ids;
	enum task_state state ABSENT(-1) DOC("state, as in /proc/<pid>/status");
	u32 cpu ABSENT(-1) DOC("processor that it runs on, or last ran on");
	struct task_priority priority;
	enum task_policy policy ABSENT(-1) DOC("scheduling policy");
	nanoseconds_t utime COUNTER ABSENT(-1) DOC("processor time in user mode");
	nanoseconds_t stime COUNTER ABSENT(-1) DOC("processor time in the kernel");
	nanoseconds_t start ABSENT(-1) DOC("start time, since boot");
	struct task_membership membership;
	char comm[16] DOC("name of the thread");
};

SEC("iter/task")
int dump_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct reader *reader = task_reader(seq, task);
	struct cpu_times times;
	struct task row = {};

	if (!task)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	row.pid = visible_process(reader, task);
	if (!row.pid)
		return 0;
	row.tid = thread_for(reader, task);
	row.ppid = parent_of(reader, task);

	read_ids(&row.ids, task);
	row.state = state_of(task);
	row.cpu = cpu_of(task);
	read_priority(&row.priority, task);
	SET(row.policy, task, policy);
	row.utime = row.stime = -1;
	if (HAS(task, utime) && HAS(task, stime) && HAS(task, se.sum_exec_runtime)) {
		times = adjusted(task->utime, task->stime, task->se.sum_exec_runtime,
				 times_shown_before(task));
		row.utime = times.utime;
		row.stime = times.stime;
	}

	SET(row.start, task, start_boottime);
	read_membership(&row.membership, task);
	COPY_NAME(row.comm, task, comm);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

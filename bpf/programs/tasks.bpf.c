// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "task.h"

struct ROW("a thread") task {
	u32 pid DOC("process id, as the reader's pid namespace numbers it");
	u32 tid DOC("thread id, numbered likewise");
	u32 ppid ABSENT(-1) DOC("parent process; 0 if it is outside the reader's pid namespace");
	u32 uid ABSENT(-1) DOC("effective user id, as ps shows");
	u32 gid ABSENT(-1) DOC("effective group id");
	u32 ruid ABSENT(-1) DOC("real user id");
	enum task_state state ABSENT(-1) DOC("what the scheduler has it doing");
	u32 cpu ABSENT(-1) DOC("processor it runs on, or ran on last");
	s32 prio ABSENT(-2147483648) DOC("kernel priority, field 18 of /proc/<pid>/stat; below 0 is real time");
	s32 nice ABSENT(-2147483648) DOC("nice value, -20 to 19");
	enum task_policy policy ABSENT(-1) DOC("scheduling policy");
	nanoseconds_t utime ABSENT(-1) DOC("processor time spent in user mode");
	nanoseconds_t stime ABSENT(-1) DOC("processor time spent in the kernel");
	nanoseconds_t start ABSENT(-1) DOC("when it started, since boot");
	u64 cgroup ABSENT(0) DOC("id of its cgroup in the unified hierarchy");
	u32 pidns ABSENT(0) DOC("inode number of its pid namespace");
	u32 netns ABSENT(0) DOC("inode number of its net namespace; none once it exits");
	u32 mntns ABSENT(0) DOC("inode number of its mount namespace");
	u32 userns ABSENT(0) DOC("inode number of its user namespace");
	u32 cgroupns ABSENT(0) DOC("inode number of its cgroup namespace");
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

	read_identity(&row, task);

	row.state = state_of(task);
	row.cpu = cpu_of(task);
	read_schedule(&row, task);
	row.utime = row.stime = -1;
	if (HAS(task, utime) && HAS(task, stime) && HAS(task, se.sum_exec_runtime)) {
		times = adjusted(task->utime, task->stime, task->se.sum_exec_runtime,
				 times_shown_before(task));
		row.utime = times.utime;
		row.stime = times.stime;
	}

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

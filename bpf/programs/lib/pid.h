/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pids: a task's numbers in the reader's pid namespace. */
#ifndef ITERFS_PID_H
#define ITERFS_PID_H

#include "kernel/namespace.h"
#include "kernel/task.h"
#include "read.h"
#include "reader.h"

/* include/linux/pid_namespace.h */
#define MAX_PID_NS_LEVEL 32

/* The number of a pid at a level; NULL if the kernel lacks the fields to find it. */
static __always_inline struct upid *number_at(struct pid *pid, u32 level)
{
	struct upid *numbers = ADDRESS(pid, numbers);

	if (!numbers || !bpf_core_type_exists(struct upid))
		return NULL;
	return (void *)numbers + level * bpf_core_type_size(struct upid);
}

/* pid's number in a namespace below the initial one; 0 if it has none there. */
static __noinline u32 number_in_namespace(struct pid *pid, u32 namespace)
{
	u32 level = READ(pid, level);

	for (u32 i = 0; i <= MAX_PID_NS_LEVEL; i++) {
		struct upid *number = number_at(pid, i);

		if (i > level || !number)
			break;
		if (READ(number, ns, ns.inum) == namespace)
			return READ(number, nr);
	}
	return 0;
}

/* pid's number in the reader's namespace; 0 if it is not visible there. */
static __always_inline u32 number_for(const struct reader *reader, struct pid *pid)
{
	if (reader->pid_namespace)
		return number_in_namespace(pid, reader->pid_namespace);
	if (!HAS(pid, numbers) || !bpf_core_field_exists(struct upid, nr))
		return 0;
	return pid->numbers[0].nr;
}

/*
 * The process id of a task in the reader's namespace; 0 if it is not visible there. The
 * fields pid and tgid of a task are its numbers in the initial namespace.
 */
static __always_inline u32 process_for(const struct reader *reader, struct task_struct *task)
{
	if (HAS(task, group_leader, thread_pid) && bpf_core_field_exists(struct pid, numbers) &&
	    bpf_core_field_exists(struct upid, nr))
		return number_for(reader, task->group_leader->thread_pid);
	return reader->pid_namespace ? 0 : FIELD(task, tgid);
}

/* The thread id, likewise. */
static __always_inline u32 thread_for(const struct reader *reader, struct task_struct *task)
{
	if (HAS(task, thread_pid) && bpf_core_field_exists(struct pid, numbers) &&
	    bpf_core_field_exists(struct upid, nr))
		return number_for(reader, task->thread_pid);
	return reader->pid_namespace ? 0 : FIELD(task, pid);
}

/* Whether a task is the first thread of its process. */
static __always_inline bool is_leader(struct task_struct *task)
{
	if (HAS(task, group_leader))
		return task->group_leader == task;
	return FIELD(task, pid) == FIELD(task, tgid);
}

#endif

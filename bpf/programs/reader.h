/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who is reading. One loaded program serves every open at once, so nothing
 * about a pass may live in its globals. The daemon's thread that reads puts the
 * open's settings here under its own thread id before each read.
 */
#ifndef ITERFS_READER_H
#define ITERFS_READER_H

#include "kernel.h"

#define PATH_MAX 4096
#define NAME_MAX 255
#define MAX_PID_NS_LEVEL 32

struct reader {
	/* Inode number of the pid namespace to number tasks in; 0: the initial one. */
	u32 pid_namespace;
	/* Only this process, numbered as above; 0: every process. */
	u32 process;
	/* Only what belongs to the net namespace of this inode number; 0: any. */
	u32 net_namespace;
	/* Bytes that a row holds of a map's key and of its value, all processors' included. */
	u32 key_size;
	u32 value_size;
	/*
	 * Room for one row that does not fit the stack. A per-cpu array would be
	 * shared by two readers when the kernel preempts a program; this is not,
	 * because a thread reads one iterator at a time.
	 */
	char record[2 * PATH_MAX];
	/* Where in the record a path being built begins (path.h). */
	u32 path_start;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct reader);
} readers SEC(".maps");

/* The settings of the open that is being served; NULL for a pin read by cat. */
static __always_inline struct reader *current_reader(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&readers, &tid);
}

/* pid's number in a namespace below the initial one; 0 if it has none there. */
static __noinline u32 number_in_namespace(struct pid *pid, u32 namespace)
{
	u32 level = BPF_CORE_READ(pid, level);
	struct upid upid;

	for (u32 i = 0; i <= MAX_PID_NS_LEVEL; i++) {
		if (i > level)
			break;
		if (bpf_probe_read_kernel(&upid, sizeof(upid), &pid->numbers[i]))
			break;
		if (BPF_CORE_READ(upid.ns, ns.inum) == namespace)
			return upid.nr;
	}
	return 0;
}

/* pid as the reader's namespace numbers it; 0 if it is not visible there. */
static __always_inline u32 number_for(const struct reader *reader, struct pid *pid)
{
	if (!reader->pid_namespace)
		return pid->numbers[0].nr;
	return number_in_namespace(pid, reader->pid_namespace);
}

/* The process id of task, or 0 where the reader is not to see the task. */
static __always_inline u32 visible_process(const struct reader *reader, struct task_struct *task)
{
	u32 process = number_for(reader, task->group_leader->thread_pid);

	if (reader->process && process != reader->process)
		return 0;
	return process;
}

#endif

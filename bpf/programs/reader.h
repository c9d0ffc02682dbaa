/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who is reading. One loaded program serves every open at once, so nothing
 * about a pass may live in its globals. The daemon's thread that reads puts the
 * open's settings here under its own thread id before each read.
 */
#ifndef ITERFS_READER_H
#define ITERFS_READER_H

#include "kernel.h"
#include "text.h"

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

/*
 * In text mode whoever opened a pin reads, and nobody puts settings here: a
 * thread's entry is made, from this one, when it begins to read. The loader
 * gives a map that drops entries long unused, of readers that were killed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct reader);
} blank_reader SEC(".maps");

/* The settings of the open that is being served. */
static __always_inline struct reader *current_reader(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid(), first = 0;
	struct reader *reader = bpf_map_lookup_elem(&readers, &tid);

	if (!text_mode || reader)
		return reader;
	reader = bpf_map_lookup_elem(&blank_reader, &first);
	if (reader)
		bpf_map_update_elem(&readers, &tid, reader, BPF_ANY);
	return bpf_map_lookup_elem(&readers, &tid);
}

/*
 * What a program returns that has an object but no reader. In text mode the map
 * had no room just then, and 1 has the kernel show the object again.
 */
#define WITHOUT_READER ((int)text_mode)

/* Inode number of the initial pid namespace (include/uapi/linux/nsfs.h, PID_NS_INIT_INO). */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFC

/*
 * The same for a walk over tasks. In text mode it shows what its opener's
 * namespaces have: the kernel took the pid namespace when it was opened, and
 * the net namespace counts where the walk is not narrowed to one process. Set
 * at each call: a thread may read several. NULL at the end of the pass.
 */
static __always_inline struct reader *task_reader(struct seq_file *seq, const void *object)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct bpf_iter_seq_task_common *walk;
	struct reader *reader;
	u32 namespace;

	if (!text_mode)
		return current_reader();
	if (!object) {
		bpf_map_delete_elem(&readers, &tid);
		return NULL;
	}
	reader = current_reader();
	if (!reader)
		return NULL;
	walk = seq->private;
	namespace = BPF_CORE_READ(walk, ns, ns.inum);
	reader->pid_namespace = namespace == INITIAL_PID_NAMESPACE ? 0 : namespace;
	reader->net_namespace = 0;
	if (BPF_CORE_READ(walk, type) == BPF_TASK_ITER_ALL) {
		struct task_struct *thread = bpf_get_current_task_btf();

		reader->net_namespace = BPF_CORE_READ(thread, nsproxy, net_ns, ns.inum);
	}
	return reader;
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

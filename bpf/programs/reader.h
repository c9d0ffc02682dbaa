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

/* Where a walk over cgroups goes on, and how far it may go (cgroups.bpf.c). */
struct cgroup_walk {
	/* Behind this cgroup, found on the way, and those below it up to the id `after`. */
	u64 at;
	u64 after;
	/* Only at lower levels than this; 0: at all. */
	u32 above;
	/* Bytes of rows that there is room for; 0 once one found none. */
	u32 budget;
	/* One more than the level of `at`, once the walk has met it. */
	u32 met;
};

struct reader {
	/* Inode number of the pid namespace to number tasks in; 0: the initial one. */
	u32 pid_namespace;
	/* Only this process, numbered as above; 0: every process. */
	u32 process;
	/* Only what belongs to the net namespace of this inode number; 0: any. */
	u32 net_namespace;
	/* The reader's real user and group. */
	u32 uid;
	u32 gid;
	/* Whether only processes of that user are shown. */
	u16 own;
	/* Whether kernel addresses are kept from the reader. */
	u16 hides_addresses;
	/* Bytes that a row holds of a map's key and of its value, all processors' included. */
	u32 key_size;
	u32 value_size;
	/* Only a process that started then, so that none is taken for an earlier one; 0: any. */
	u64 started;
	struct cgroup_walk walk;
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
	if (reader->started && task->group_leader->start_boottime != reader->started)
		return 0;
	if (reader->own && task->real_cred->uid.val != reader->uid)
		return 0;
	return process;
}

/* include/linux/mm_types.h: the low bits of an address space's flags. */
#define DUMPABLE_MASK 3
#define SUID_DUMP_USER 1

/*
 * Whether an address space lets its user look into it (prctl(2), PR_SET_DUMPABLE).
 * What a process ran that has given up a privilege stays closed, so does a process
 * that exits: it has none any more to tell.
 */
static __always_inline bool is_dumpable(struct mm_struct *mm)
{
	struct mm_struct___flag_bits *bits = (void *)mm;
	unsigned long flags;

	if (!mm)
		return false;
	if (bpf_core_field_exists(bits->flags.__mm_flags))
		flags = BPF_CORE_READ(bits, flags.__mm_flags[0]);
	else
		flags = BPF_CORE_READ(mm, flags);
	return (flags & DUMPABLE_MASK) == SUID_DUMP_USER;
}

/*
 * Whether the reader may look at what a task holds: its files, its memory, the
 * program it runs. By the rule of /proc for a user without capabilities
 * (kernel/ptrace.c, __ptrace_may_access()), but for the process itself, which
 * /proc lets look in any case. mm is the memory that is looked at.
 */
static __always_inline bool may_look_into(const struct reader *reader, struct task_struct *task,
					  struct mm_struct *mm)
{
	const struct cred *cred = task->real_cred;

	if (!reader->own)
		return true;
	if (cred->uid.val != reader->uid || cred->euid.val != reader->uid ||
	    cred->suid.val != reader->uid)
		return false;
	if (cred->gid.val != reader->gid || cred->egid.val != reader->gid ||
	    cred->sgid.val != reader->gid)
		return false;
	return is_dumpable(mm);
}

/* As visible_process(), of a process whose files the reader may look at. */
static __always_inline u32 readable_process(const struct reader *reader, struct task_struct *task)
{
	if (!may_look_into(reader, task, task->mm))
		return 0;
	return visible_process(reader, task);
}

#endif

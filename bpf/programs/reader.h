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
	/* The reader's effective capabilities, in the user namespace of this inode number. */
	u64 capabilities;
	u32 user_namespace;
	/* Its maker: once it is gone, another namespace may have its number. */
	u32 namespace_owner;
	/* The reader's effective user. */
	u32 effective;
	u32 unused;
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
/* The number of no namespace: the kernel gives no such inode number. */
#define NO_NAMESPACE 0xFFFFFFFF

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
	namespace = READ(walk, ns, ns.inum);
	/* A namespace that cannot be read shows nothing. */
	reader->pid_namespace = namespace == INITIAL_PID_NAMESPACE ? 0
				: namespace			   ? namespace
								   : NO_NAMESPACE;
	reader->net_namespace = 0;
	/* Before 6.1 no walk is narrowed, and none says so. */
	if (!HAS(walk, type) || READ(walk, type) == BPF_TASK_ITER_ALL) {
		struct task_struct *thread = bpf_get_current_task_btf();

		reader->net_namespace = READ(thread, nsproxy, net_ns, ns.inum);
		if (!reader->net_namespace)
			reader->net_namespace = NO_NAMESPACE;
	}
	return reader;
}

/* A number of a pid, as long as the kernel has what tells whose it is. */
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

/* pid as the reader's namespace numbers it; 0 if it is not visible there. */
static __always_inline u32 number_for(const struct reader *reader, struct pid *pid)
{
	if (reader->pid_namespace)
		return number_in_namespace(pid, reader->pid_namespace);
	if (!HAS(pid, numbers) || !bpf_core_field_exists(struct upid, nr))
		return 0;
	return pid->numbers[0].nr;
}

/*
 * The process id of a task as the reader's namespace numbers it; 0 if it is not
 * visible there. Tasks themselves have their numbers in the initial namespace.
 */
static __always_inline u32 process_for(const struct reader *reader, struct task_struct *task)
{
	if (HAS(task, group_leader, thread_pid) && bpf_core_field_exists(struct pid, numbers) &&
	    bpf_core_field_exists(struct upid, nr))
		return number_for(reader, task->group_leader->thread_pid);
	return reader->pid_namespace ? 0 : FIELD(task, tgid);
}

/* The same of the thread. */
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

/* The process id of task, or 0 where the reader is not to see the task. */
static __always_inline u32 visible_process(const struct reader *reader, struct task_struct *task)
{
	u32 process = process_for(reader, task);

	if (reader->process && process != reader->process)
		return 0;
	if (reader->started && FIELD(task, group_leader, start_boottime) != reader->started)
		return 0;
	if (reader->own &&
	    (!HAS(task, real_cred, uid.val) || task->real_cred->uid.val != reader->uid))
		return 0;
	return process;
}

/* include/linux/mm_types.h: the low bits of an address space's flags. */
#define DUMPABLE_MASK 3
/* Since 7.2 enum task_dumpable has the same values. */
#define SUID_DUMP_USER 1

/*
 * Whether a task's address space lets its user look into it (prctl(2),
 * PR_SET_DUMPABLE). An address space that a process gave up at an exec stays as
 * closed as it was. A process that exits has none, and is closed.
 *
 * Since 7.2 the task keeps this, not the address space. An exec puts the new
 * address space into the task before it opens the new state (fs/exec.c,
 * exec_mmap()), so a state read before the address space was compared belongs to
 * that address space or to an earlier one.
 */
static __always_inline bool is_dumpable(struct task_struct *task, struct mm_struct *mm)
{
	struct mm_struct___flag_bits *bits = (void *)mm;
	unsigned long flags;

	if (!mm)
		return false;
	if (bpf_core_type_exists(struct task_exec_state)) {
		if (!HAS(task, exec_state, dumpable) || !HAS(task, mm))
			return false;
		flags = READ(task, exec_state, dumpable);
		barrier();
		return flags == SUID_DUMP_USER && READ(task, mm) == mm;
	}
	if (bpf_core_field_exists(bits->flags.__mm_flags))
		flags = BPF_CORE_READ(bits, flags.__mm_flags[0]);
	else if (HAS(mm, flags))
		flags = READ(mm, flags);
	else
		return false;
	return (flags & DUMPABLE_MASK) == SUID_DUMP_USER;
}

/* The permitted capabilities, one bit each; all if the kernel does not tell. */
static __always_inline u64 capabilities_of(struct cred *cred)
{
	struct cred___cap_words *old = (void *)cred;

	if (HAS(cred, cap_permitted.val))
		return READ(cred, cap_permitted.val);
	if (HAS(old, cap_permitted.cap))
		return (u64)READ(old, cap_permitted.cap[1]) << 32 | READ(old, cap_permitted.cap[0]);
	return -1;
}

/* As many user namespaces as may lie within one another (kernel/user_namespace.c). */
#define MAX_USER_NS_LEVEL 33

/*
 * Whether a task may do no more than the reader (security/commoncap.c,
 * cap_ptrace_access_check()): it is in the reader's user namespace, and permitted no
 * more than the reader has; or in one that the reader's effective user made there, or
 * below it, which gives the reader all capabilities in it (cap_capable()).
 */
static __noinline bool may_inspect(const struct reader *reader, struct cred *cred)
{
	struct user_namespace *namespace, *parent;

	if (!reader || !cred)
		return false;
	if (!HAS(cred, user_ns) || !HAS(namespace, ns.inum) || !HAS(namespace, parent) ||
	    !HAS(namespace, owner.val))
		return false;
	namespace = READ(cred, user_ns);
	if (READ(namespace, ns.inum) == reader->user_namespace &&
	    READ(namespace, owner.val) == reader->namespace_owner)
		return !(capabilities_of(cred) & ~reader->capabilities);
	for (int i = 0; i < MAX_USER_NS_LEVEL; i++) {
		parent = READ(namespace, parent);
		if (!parent)
			return false;
		if (READ(parent, ns.inum) == reader->user_namespace &&
		    READ(parent, owner.val) == reader->namespace_owner)
			return READ(namespace, owner.val) == reader->effective;
		namespace = parent;
	}
	return false;
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
	const struct cred *cred;

	if (!reader->own)
		return true;
	if (!HAS(task, real_cred))
		return false;
	cred = task->real_cred;
	if (!HAS(cred, uid.val) || !HAS(cred, euid.val) || !HAS(cred, suid.val) ||
	    !HAS(cred, gid.val) || !HAS(cred, egid.val) || !HAS(cred, sgid.val))
		return false;
	if (cred->uid.val != reader->uid || cred->euid.val != reader->uid ||
	    cred->suid.val != reader->uid)
		return false;
	if (cred->gid.val != reader->gid || cred->egid.val != reader->gid ||
	    cred->sgid.val != reader->gid)
		return false;
	return may_inspect(reader, (struct cred *)cred) && is_dumpable(task, mm);
}

/* As visible_process(), of a process whose files the reader may look at. */
static __always_inline u32 readable_process(const struct reader *reader, struct task_struct *task)
{
	if (!may_look_into(reader, task, FIELD(task, mm)))
		return 0;
	return visible_process(reader, task);
}

#endif

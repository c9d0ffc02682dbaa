/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The settings of a reader. All opens of a table share one loaded program at the same time, so the
 * program's globals cannot hold the state of a pass. Before each read, the daemon's
 * reading thread stores the settings of the open in `readers`, under its own thread id
 * (bpf/src/pass/readers.rs).
 */
#ifndef ITERFS_READER_H
#define ITERFS_READER_H

#include "kernel/iterators.h"
#include "kernel/namespace.h"
#include "kernel/task.h"
#include "read.h"
#include "text.h"

#define PATH_MAX 4096

/* Where a walk over cgroups resumes, and how much it may write (cgroups.bpf.c). */
struct cgroup_walk {
	/* Resume after this cgroup and those of its children with ids up to `after`. */
	u64 at;
	u64 after;
	/* Show only cgroups of a lower level than this; 0: of any level. */
	u32 above;
	/* Bytes left for rows; 0 once a row did not fit. */
	u32 budget;
	/* The level of `at` plus one, once the walk has met it. */
	u32 met;
};

struct reader {
	/* Number tasks as this pid namespace does (an inode number); 0: the initial one. */
	u32 pid_namespace;
	/* Show only this process, numbered as above; 0: every process. */
	u32 process;
	/* Show only sockets of this net namespace (an inode number); 0: of any. */
	u32 net_namespace;
	/* The reader's real user and group. */
	u32 uid;
	u32 gid;
	/* Whether to show only processes of that user. */
	u16 own;
	/* Whether to hide kernel addresses. */
	u16 hides_addresses;
	/*
	 * Bytes that a row holds of a map's key and of its value; in a per-cpu map, the
	 * values of all processors.
	 */
	u32 key_size;
	u32 value_size;
	/* Show only a process that started then, not a later one of its number; 0: any. */
	u64 started;
	/* The reader's effective capabilities in its user namespace (an inode number). */
	u64 capabilities;
	u32 user_namespace;
	/*
	 * The user who created that namespace: once it is gone, another namespace may get
	 * its inode number.
	 */
	u32 namespace_owner;
	/* The reader's effective user. */
	u32 effective;
	u32 unused;
	struct cgroup_walk walk;
	/*
	 * Room for one row that does not fit on the stack. Two readers would share a
	 * per-cpu array when the kernel preempts a program. They do not share this,
	 * because a thread reads one iterator at a time.
	 */
	char record[2 * PATH_MAX];
	/* Where in the record the path that is being built begins (path.h). */
	u32 path_start;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct reader);
} readers SEC(".maps");

/*
 * In text mode the reader is whoever opened the pin, and nobody stores settings for it.
 * A thread that begins to read gets a copy of this entry. The loader makes `readers` an
 * LRU map, which drops the entries of readers that were killed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct reader);
} blank_reader SEC(".maps");

/* The settings of the open that is being read. */
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
 * The return value of a program that has an object but no reader. In text mode this
 * means that the map had no room, and 1 makes the kernel show the object again.
 */
#define WITHOUT_READER ((int)text_mode)

/* The initial pid namespace (include/uapi/linux/nsfs.h, PID_NS_INIT_INO). */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFC
/* Matches no namespace: the kernel does not give out this inode number. */
#define NO_NAMESPACE 0xFFFFFFFF

/*
 * current_reader() for a walk over tasks; NULL at the end of the pass. In text mode such
 * a walk shows the namespaces of whoever opened the pin: the pid namespace that the
 * kernel noted at open and, unless the walk is limited to one process, the net namespace
 * of the reading thread. Both are set at each call, because a thread may read several
 * pins at once.
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
	/* If the namespace cannot be read, show nothing. */
	reader->pid_namespace = namespace == INITIAL_PID_NAMESPACE ? 0
				: namespace			   ? namespace
								   : NO_NAMESPACE;
	reader->net_namespace = 0;
	/* Before 6.1 walks have no type, and none is limited to one process. */
	if (!HAS(walk, type) || READ(walk, type) == BPF_TASK_ITER_ALL) {
		struct task_struct *thread = bpf_get_current_task_btf();

		reader->net_namespace = READ(thread, nsproxy, net_ns, ns.inum);
		if (!reader->net_namespace)
			reader->net_namespace = NO_NAMESPACE;
	}
	return reader;
}

#endif

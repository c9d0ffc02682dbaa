/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Summaries by process. A walk goes process by process, and to look up the group of each
 * object would cost as much as the walk itself. So the row of the current process is a
 * global, which goes into the map when the walk comes to another process. The program
 * belongs to one pass (groups.h), and so do its globals. A pass that was given up may
 * have left values in them; the session id tells those apart.
 *
 *	PROCESS_GROUPS(struct row);
 *
 *	if (!task)
 *		put_process(ctx->meta);
 *	...
 *	row = process_row(ctx->meta, task);
 *
 * The row begins with a `struct counted_process process`.
 */
#ifndef ITERFS_PROCESS_GROUP_H
#define ITERFS_PROCESS_GROUP_H

#include "access.h"
#include "groups.h"

/* The process id, in the reader's pid namespace. */
struct process_key {
	u32 pid;
};

/* The first columns of a summary by process. */
struct counted_process {
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	u32 uid ABSENT(-1) DOC("effective user id of the process");
	char comm[16] DOC("name of the process");
};

/* The process that a walk has come to. */
struct process_walk {
	u64 session;
	/* Its number in the initial namespace, which costs less to compare than the reader's. */
	s32 process;
};

/* Whether the walk is still at the process of this task. */
#define is_at(walk, meta, task)                                                                    \
	((walk).process == FIELD(task, tgid) && (walk).session == (meta)->session_id)

/* Notes that the walk has come to the process of this task. */
#define move_to(walk, meta, task)                                                                  \
	({                                                                                         \
		(walk).process = FIELD(task, tgid);                                                \
		(walk).session = (meta)->session_id;                                               \
	})

#define PROCESS_GROUPS(row_type)                                                                   \
	GROUPS(struct process_key, row_type);                                                      \
	static struct process_walk walk;                                                           \
	/* Its pid is 0 if the reader must not see the process. */                                 \
	static row_type current

/* The process id of a task for the reader; 0 if the reader must not see its files. */
static __always_inline u32 pid_for_reader(struct task_struct *task)
{
	struct reader *reader = current_reader();

	return reader ? readable_process(reader, task) : 0;
}

/* Stores the current row: before the walk goes to the next process, and at its end. */
#define put_process(meta)                                                                          \
	({                                                                                         \
		struct process_key left = { .pid = current.process.pid };                          \
		if (left.pid && walk.session == (meta)->session_id)                                \
			put_group((meta)->seq, &left, &current, BPF_ANY);                          \
		current.process.pid = 0;                                                           \
	})

/*
 * Makes the row of a task's process the current one. The group exists already if the
 * walk has been at the process before, for another thread.
 */
#define enter_process(task)                                                                        \
	({                                                                                         \
		struct process_key key = { .pid = pid_for_reader(task) };                          \
		typeof(current) *before = key.pid ? bpf_map_lookup_elem(&groups, &key) : NULL;     \
		if (before) {                                                                      \
			current = *before;                                                         \
		} else {                                                                           \
			__builtin_memset(&current, 0, sizeof(current));                            \
			current.process.pid = key.pid;                                             \
			SET(current.process.uid, task, cred, euid.val);                            \
			COPY_NAME(current.process.comm, task, group_leader, comm);                 \
		}                                                                                  \
	})

/* The row of a task's process; NULL if the reader must not see the process. */
#define process_row(meta, task)                                                                    \
	({                                                                                         \
		if (!is_at(walk, meta, task)) {                                                    \
			put_process(meta);                                                         \
			move_to(walk, meta, task);                                                 \
			enter_process(task);                                                       \
		}                                                                                  \
		current.process.pid ? &current : NULL;                                             \
	})

#endif

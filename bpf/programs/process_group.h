/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the summaries by process share. A walk goes process by process, and to
 * look each object's group up would cost as much as the walk. So the row of the
 * process that the walk is at is a global, and goes into the map when the next
 * one comes. The program is one pass's (groups.h), and so are its globals; what a
 * pass that was given up left in them is told by its session.
 *
 *	PROCESS_GROUPS(struct row);
 *
 *	if (!task)
 *		put_process(ctx->meta);
 *	...
 *	row = process_row(ctx->meta, task);
 */
#ifndef ITERFS_PROCESS_GROUP_H
#define ITERFS_PROCESS_GROUP_H

#include "groups.h"
#include "reader.h"

/* The process, as the reader's pid namespace numbers it. */
struct process_key {
	u32 pid;
};

/* Where the walk is. */
struct process_walk {
	u64 session;
	/* The process's global id: cheaper to compare than the reader's. */
	s32 process;
};

/* Whether the walk is still at this task's process. */
#define is_at(walk, meta, task)                                                                    \
	((walk).process == FIELD(task, tgid) && (walk).session == (meta)->session_id)

/* It is there from now on. */
#define move_on(walk, meta, task)                                                                  \
	({                                                                                         \
		(walk).process = FIELD(task, tgid);                                                \
		(walk).session = (meta)->session_id;                                               \
	})

#define PROCESS_GROUPS(row_type)                                                                   \
	GROUPS(struct process_key, row_type);                                                      \
	static struct process_walk walk;                                                           \
	/* Of a process that the reader is not to see, without a pid. */                           \
	static row_type at

/* The reader's number of a process that the walk comes to; 0 if it is not to see it. */
static __always_inline u32 pid_for_reader(struct task_struct *task)
{
	struct reader *reader = current_reader();

	return reader ? readable_process(reader, task) : 0;
}

/* Stores the row of the process that the walk was at: before the next, and at the end. */
#define put_process(meta)                                                                          \
	({                                                                                         \
		struct process_key left = { .pid = at.pid };                                       \
		if (left.pid && walk.session == (meta)->session_id)                                \
			put_group((meta)->seq, &left, &at, BPF_ANY);                               \
		at.pid = 0;                                                                        \
	})

/* The row of a process; it may have been there before, when another thread was visited. */
#define enter_process(task)                                                                        \
	({                                                                                         \
		struct process_key key = { .pid = pid_for_reader(task) };                          \
		typeof(at) *before = key.pid ? bpf_map_lookup_elem(&groups, &key) : NULL;          \
		if (before) {                                                                      \
			at = *before;                                                              \
		} else {                                                                           \
			__builtin_memset(&at, 0, sizeof(at));                                      \
			at.pid = key.pid;                                                          \
			SET(at.uid, task, cred, euid.val);                                         \
			COPY_NAME(at.comm, task, group_leader, comm);                              \
		}                                                                                  \
	})

/* The row to add to; NULL if the reader is not to see the process. */
#define process_row(meta, task)                                                                    \
	({                                                                                         \
		if (!is_at(walk, meta, task)) {                                                    \
			put_process(meta);                                                         \
			move_on(walk, meta, task);                                                 \
			enter_process(task);                                                       \
		}                                                                                  \
		at.pid ? &at : NULL;                                                               \
	})

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the summaries by process share: who the group is. */
#ifndef ITERFS_PROCESS_GROUP_H
#define ITERFS_PROCESS_GROUP_H

#include "groups.h"
#include "reader.h"

/* The key: the process, as the reader's pid namespace numbers it. */
struct process_key {
	u32 pid;
};

/* Fills the columns that say which process a new group stands for. */
#define name_process(row, key, task)                                                               \
	({                                                                                         \
		(row)->pid = (key).pid;                                                            \
		(row)->uid = (task)->cred->euid.val;                                               \
		BPF_CORE_READ_INTO(&(row)->comm, task, group_leader, comm);                        \
	})

#endif

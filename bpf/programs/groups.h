/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a summary counts. Its program writes no rows; it adds each object up in
 * the row of its group, in a map that the daemon takes the rows from when the
 * walk is over. The map makes it a summary: the daemon gives each pass a program
 * and a map of its own, so plain additions do.
 *
 *	GROUPS(struct key, struct row);
 *
 *	row = bpf_map_lookup_elem(&groups, &key);
 *	if (!row)
 *		row = add_group(seq, &key, &first);
 *
 * The row begins with what the key holds: the daemon sorts by its first column.
 */
#ifndef ITERFS_GROUPS_H
#define ITERFS_GROUPS_H

#include "row.h"

/* Where more are needed, the daemon walks again with a larger map. */
#define MANY_GROUPS 16384

#define GROUPS(key_type, row_type)                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, MANY_GROUPS);                                                  \
		__type(key, key_type);                                                             \
		__type(value, row_type);                                                           \
	} groups SEC(".maps")

/* Stores a group's row. If there is no room, the pass is in vain: the errno, as a byte, says so. */
#define put_group(seq, key, row, flags)                                                            \
	({                                                                                         \
		long error = bpf_map_update_elem(&groups, key, row, flags);                        \
		u8 lost = -error;                                                                  \
		if (error)                                                                         \
			bpf_seq_write((seq), &lost, sizeof(lost));                                 \
		!error;                                                                            \
	})

/* Adds a group that is not there yet; its row, or NULL if there is no room. */
#define add_group(seq, key, first)                                                                 \
	({                                                                                         \
		typeof(first) added = NULL;                                                        \
		if (put_group(seq, key, first, BPF_NOEXIST))                                       \
			added = bpf_map_lookup_elem(&groups, key);                                 \
		added;                                                                             \
	})

#endif

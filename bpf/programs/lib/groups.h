/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Summaries. The program of a summary writes no rows. It adds each object to the row of
 * its group, in the map `groups`, and the daemon takes the rows from the map when the
 * walk is over (bpf/src/pass/summary.rs). The presence of this map makes a program a summary:
 * the daemon gives each pass a program and a map of its own, so plain additions suffice.
 *
 *	GROUPS(struct key, struct row);
 *
 *	row = group_row(seq, &key);
 *	if (row)
 *		row->objects++;
 *
 * The row begins with the members of the key; the daemon sorts by the first column.
 */
#ifndef ITERFS_GROUPS_H
#define ITERFS_GROUPS_H

#include "row.h"

/* If a pass needs more, the daemon walks again with a larger map. */
#define MANY_GROUPS 16384

#define GROUPS(key_type, row_type)                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, MANY_GROUPS);                                                  \
		__type(key, key_type);                                                             \
		__type(value, row_type);                                                           \
	} groups SEC(".maps")

/*
 * Stores the row of a group and returns whether there was room. If not, the pass is
 * useless: the program writes the errno, as a byte, to tell the daemon.
 */
#define put_group(seq, key, row, flags)                                                            \
	({                                                                                         \
		long error = bpf_map_update_elem(&groups, key, row, flags);                        \
		u8 lost = -error;                                                                  \
		if (error)                                                                         \
			bpf_seq_write((seq), &lost, sizeof(lost));                                 \
		!error;                                                                            \
	})

/* The row of a key's group, which is added if it is new; NULL if there is no room. */
#define group_row(seq, key)                                                                        \
	({                                                                                         \
		typeof(groups.value) found = bpf_map_lookup_elem(&groups, (key));                  \
		if (!found) {                                                                      \
			typeof(*groups.value) first = {};                                          \
			__builtin_memcpy(&first, (key), sizeof(*(key)));                           \
			if (put_group((seq), (key), &first, BPF_NOEXIST))                          \
				found = bpf_map_lookup_elem(&groups, (key));                       \
		}                                                                                  \
		found;                                                                             \
	})

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Building a path name by name, from its end, in the first PATH_MAX bytes of the
 * reader's record: path_start moves to the front. file_path.h and kernfs_path.h walk up
 * the two kinds of trees.
 */
#ifndef ITERFS_PATH_H
#define ITERFS_PATH_H

#include "kernel/types.h"
#include "reader.h"
#include "row.h"

#define NAME_MAX 255

/* Before 6.4 no path of more names than this can be followed (loop.h). */
#define FEW_NAMES 24

/* The mask never changes a valid offset; it shows the verifier the bounds. */
#define IN_PATH(at) ((at) & (PATH_MAX - 1))

/*
 * Puts a slash and a name of `length` bytes in front of the path; false if there is no
 * room, or if the name is no longer that long.
 */
static __always_inline bool prepend_name(struct reader *reader, const void *name, u32 length)
{
	u32 at, end;
	long size;
	u8 after;

	/* Kept in memory: the verifier would follow each value of a variable. */
	at = reader->path_start;
	if (at <= length + 1)
		return false;
	at -= length + 1;
	reader->path_start = at;
	reader->record[IN_PATH(at)] = '/';
	/*
	 * A rename may have replaced the name by a shorter one, so copy up to its NUL and
	 * not a byte beyond. The NUL falls on the slash of the next name, or on the byte
	 * after the path, which is put back.
	 */
	end = at + 1 + length;
	barrier_var(end);
	end &= sizeof(reader->record) - 1;
	after = reader->record[end];
	barrier_var(length);
	size = bpf_probe_read_kernel_str(reader->record + IN_PATH(at + 1), (length & NAME_MAX) + 1,
					 name);
	reader->record[end] = after;
	return size == length + 1;
}

/* Writes a row that ends in the path, which has `length` bytes. */
#define write_row_with_path(seq, row, member, reader, length)                                      \
	write_row_with_tail(seq, row, member, (reader)->record + IN_PATH((reader)->path_start),    \
			    IN_PATH(length))

#endif

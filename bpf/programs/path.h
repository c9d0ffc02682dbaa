/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The path of a file that the iterator does not hold.
 *
 * bpf_d_path() follows pointers as they are, so it may only be given a file
 * that the kernel has pinned for us, as task_file's. A process's executable may
 * go away while we look; here every step is a read that survives that.
 */
#ifndef ITERFS_PATH_H
#define ITERFS_PATH_H

#include "loop.h"
#include "reader.h"
#include "row.h"

#define DELETED " (deleted)"
#define DELETED_SIZE (sizeof(DELETED) - 1)

/* The masks change nothing that can happen; they show the verifier the bounds. */
#define IN_PATH(at) ((at) & (PATH_MAX - 1))

/* Where a walk is. The path grows from its end; it begins at reader->path_start. */
struct path_walk {
	struct reader *reader;
	struct dentry *dentry;
	struct mount *mount;
	bool complete;
};

/* Whether the kernel has what a path is made of. */
#define HAS_PATHS(dentry, mount)                                                                   \
	(HAS(dentry, d_parent) && HAS(dentry, d_name.len) && HAS(dentry, d_name.name) &&           \
	 HAS(mount, mnt.mnt_root) && HAS(mount, mnt_parent) && HAS(mount, mnt_mountpoint))

/* Takes one step up; true at the end of the walk, complete or not. */
static __noinline bool step_up(struct path_walk *walk)
{
	struct dentry *parent, *dentry;
	const unsigned char *name;
	struct reader *reader;
	struct mount *mount;
	u32 length, at, end;
	long size;
	u8 after;

	if (!walk)
		return true;
	dentry = walk->dentry;
	mount = walk->mount;
	reader = walk->reader;
	if (!HAS_PATHS(dentry, mount))
		return true;
	parent = READ(dentry, d_parent);

	if (dentry == READ(mount, mnt.mnt_root) || dentry == parent) {
		struct mount *above = READ(mount, mnt_parent);

		walk->complete = above == mount || !above;
		walk->dentry = READ(mount, mnt_mountpoint);
		walk->mount = above;
		return walk->complete;
	}
	length = READ(dentry, d_name.len) & NAME_MAX;
	name = READ(dentry, d_name.name);
	/* Kept in memory: the verifier would follow each value of a variable. */
	at = reader->path_start;
	if (at <= length + 1)
		return true;
	at -= length + 1;
	reader->path_start = at;
	reader->record[IN_PATH(at)] = '/';
	/*
	 * A rename may have put a shorter name there: not a byte beyond its end is read.
	 * The NUL goes where the name before this one begins, or what follows the path.
	 */
	end = at + 1 + length;
	barrier_var(end);
	end &= sizeof(reader->record) - 1;
	after = reader->record[end];
	barrier_var(length);
	size = bpf_probe_read_kernel_str(reader->record + IN_PATH(at + 1), (length & NAME_MAX) + 1,
					 name);
	reader->record[end] = after;
	if (size != length + 1)
		return true;
	walk->dentry = parent;
	return false;
}

/*
 * Writes the path at the end of the record's first PATH_MAX bytes. Returns its
 * length, 0 if there is none or it is too deep to follow.
 */
static __always_inline u32 walk_path(struct reader *reader, struct dentry *dentry,
				     struct vfsmount *vfsmount)
{
	struct path_walk walk = {
		.reader = reader,
		.dentry = dentry,
		.mount = OWNER(vfsmount, struct mount, mnt),
	};

	if (!dentry || !vfsmount)
		return 0;
	reader->path_start = PATH_MAX;

	/* Unhashed and not a root: the name is gone (d_unlinked()). */
	if (HAS(dentry, d_hash.pprev) && !READ(dentry, d_hash.pprev) &&
	    READ(dentry, d_parent) != dentry) {
		reader->path_start -= DELETED_SIZE;
		__builtin_memcpy(reader->record + PATH_MAX - DELETED_SIZE, DELETED, DELETED_SIZE);
	}
	repeat(PATH_MAX, 24, step_up(&walk));
	return walk.complete ? PATH_MAX - reader->path_start : 0;
}

/* Writes a row that ends in what walk_path() left, `length` bytes. */
#define write_row_with_path(seq, row, member, reader, length)                                      \
	write_row_with_tail(seq, row, member, (reader)->record + IN_PATH((reader)->path_start),    \
			    IN_PATH(length))

#endif

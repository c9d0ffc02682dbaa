/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The path of a file that the iterator does not hold.
 *
 * bpf_d_path() follows pointers without checking them, so it may only be given a file
 * on which the iterator holds a reference, such as a task_file's. A process's executable
 * can go away while the program looks at it; here each step is a read that can fail.
 */
#ifndef ITERFS_FILE_PATH_H
#define ITERFS_FILE_PATH_H

#include "kernel/file.h"
#include "loop.h"
#include "path.h"
#include "read.h"

#define DELETED " (deleted)"
#define DELETED_SIZE (sizeof(DELETED) - 1)

/* A walk from a file up to the root of the tree of mounts. */
struct path_walk {
	struct reader *reader;
	struct dentry *dentry;
	struct mount *mount;
	bool complete;
};

/* Whether the kernel has the fields that a path is made from. */
#define HAS_PATHS(dentry, mount)                                                                   \
	(HAS(dentry, d_parent) && HAS(dentry, d_name.len) && HAS(dentry, d_name.name) &&           \
	 HAS(mount, mnt.mnt_root) && HAS(mount, mnt_parent) && HAS(mount, mnt_mountpoint))

/* Goes one step up; true at the end of the walk, whether it is complete or not. */
static __noinline bool step_up(struct path_walk *walk)
{
	struct dentry *parent, *dentry;
	struct mount *mount;
	u32 length;

	if (!walk)
		return true;
	dentry = walk->dentry;
	mount = walk->mount;
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
	if (!prepend_name(walk->reader, READ(dentry, d_name.name), length))
		return true;
	walk->dentry = parent;
	return false;
}

/* Builds the path and returns its length; 0 if there is none, or it is too deep to follow. */
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

	/* Unhashed and not a root: the name has been removed (d_unlinked()). */
	if (HAS(dentry, d_hash.pprev) && !READ(dentry, d_hash.pprev) &&
	    READ(dentry, d_parent) != dentry) {
		reader->path_start -= DELETED_SIZE;
		__builtin_memcpy(reader->record + PATH_MAX - DELETED_SIZE, DELETED, DELETED_SIZE);
	}
	repeat(PATH_MAX, FEW_NAMES, step_up(&walk));
	return walk.complete ? PATH_MAX - reader->path_start : 0;
}

#endif

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

#include "reader.h"

#define MAX_PATH_COMPONENTS 96
#define DELETED " (deleted)"
#define DELETED_SIZE (sizeof(DELETED) - 1)

/* The masks change nothing that can happen; they show the verifier the bounds. */
#define IN_PATH(at) ((at) & (PATH_MAX - 1))

/*
 * Writes the path at the end of the record's first PATH_MAX bytes. Returns its
 * length, 0 if there is none; it begins at reader->path_start, which is kept in
 * memory because the verifier would follow each value of a variable.
 */
static __noinline u32 walk_path(struct reader *reader, struct dentry *dentry,
				struct vfsmount *vfsmount)
{
	struct mount *mount = container_of(vfsmount, struct mount, mnt);

	if (!reader || !dentry || !vfsmount)
		return 0;
	reader->path_start = PATH_MAX;

	/* Unhashed and not a root: the name is gone (d_unlinked()). */
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry) {
		reader->path_start -= DELETED_SIZE;
		__builtin_memcpy(reader->record + PATH_MAX - DELETED_SIZE, DELETED, DELETED_SIZE);
	}

	for (int i = 0; i < MAX_PATH_COMPONENTS; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		const unsigned char *name;
		u32 length, at;

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount || !above)
				return PATH_MAX - reader->path_start;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		length = BPF_CORE_READ(dentry, d_name.len) & NAME_MAX;
		name = BPF_CORE_READ(dentry, d_name.name);
		at = reader->path_start;
		if (at <= length + 1)
			return 0;
		at -= length + 1;
		reader->path_start = at;
		reader->record[IN_PATH(at)] = '/';
		bpf_probe_read_kernel(reader->record + IN_PATH(at + 1), length, name);
		dentry = parent;
	}
	return 0;
}

/* Writes what walk_path() left, `length` bytes, as the string that ends a row. */
static __always_inline void write_path(struct seq_file *seq, struct reader *reader, u32 length)
{
	if (length)
		bpf_seq_write(seq, reader->record + IN_PATH(reader->path_start), IN_PATH(length));
}

#endif

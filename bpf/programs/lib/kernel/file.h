/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Files, the names that lead to them, and tables of descriptors. */
#ifndef ITERFS_KERNEL_FILE_H
#define ITERFS_KERNEL_FILE_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	u32 i_rdev;
	loff_t i_size;
};

struct qstr {
	u32 len;
	const unsigned char *name;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	unsigned int f_flags;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
	loff_t f_pos;
};

/* Since 6.8: a file on a lower filesystem, and the path that its user opened. */
struct backing_file {
	struct file file;
	struct path user_path;
};

/* Stands for any bitmap of longs (files.bpf.c, closed_on_exec()). */
struct cpumask {
	unsigned long bits[1];
};

struct fdtable {
	unsigned int max_fds;
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

#pragma clang attribute pop

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The path of a kernfs node, such as a cgroup's, from the root of its hierarchy. */
#ifndef ITERFS_KERNFS_PATH_H
#define ITERFS_KERNFS_PATH_H

#include "kernel/cgroup.h"
#include "loop.h"
#include "path.h"
#include "read.h"

/* Room at the end of the record, for a name whose length is not known yet. */
#define NAME_ROOM (NAME_MAX + 1)

/* A walk from a node up to its root. */
struct kernfs_walk {
	struct reader *reader;
	struct kernfs_node *node;
	bool complete;
};

static __always_inline bool has_parents(struct kernfs_node *node)
{
	return HAS(node, __parent) || HAS((struct kernfs_node___parent *)node, parent);
}

static __always_inline struct kernfs_node *parent_of_node(struct kernfs_node *node)
{
	struct kernfs_node___parent *old = (void *)node;

	if (HAS(node, __parent))
		return READ(node, __parent);
	return READ(old, parent);
}

/* Goes one step up; true at the end of the walk, whether it is complete or not. */
static __noinline bool step_up_kernfs(struct kernfs_walk *walk)
{
	struct kernfs_node *parent;
	struct reader *reader;
	u32 length;
	char *name;
	long size;

	if (!walk)
		return true;
	reader = walk->reader;
	parent = parent_of_node(walk->node);
	if (!parent) {
		walk->complete = true;
		return true;
	}
	/* The size counts the NUL at the end. */
	name = reader->record + sizeof(reader->record) - NAME_ROOM;
	size = bpf_probe_read_kernel_str(name, NAME_ROOM, READ(walk->node, name));
	if (size < 2 || size > NAME_ROOM)
		return true;
	length = (u32)(size - 1) & NAME_MAX;
	/* From the copy: the node may have another name by now. */
	if (!prepend_name(reader, name, length))
		return true;
	walk->node = parent;
	return false;
}

/* Builds the path and returns its length; 0 if it is too long or too deep to follow. */
static __always_inline u32 walk_kernfs(struct reader *reader, struct kernfs_node *node)
{
	struct kernfs_walk walk = {
		.reader = reader,
		.node = node,
	};

	reader->path_start = PATH_MAX;
	repeat(PATH_MAX, FEW_NAMES, step_up_kernfs(&walk));
	if (!walk.complete || !has_parents(node))
		return 0;
	if (reader->path_start == PATH_MAX) {
		reader->path_start = PATH_MAX - 1;
		reader->record[PATH_MAX - 1] = '/';
	}
	return PATH_MAX - reader->path_start;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The path of a node of kernfs, from the root of its hierarchy. */
#ifndef ITERFS_KERNFS_H
#define ITERFS_KERNFS_H

#include "path.h"

/* The room behind the path, for a name whose length is not known yet. */
#define NAME_ROOM (NAME_MAX + 1)

/* Where a walk is. The path grows as in path.h. */
struct kernfs_walk {
	struct reader *reader;
	struct kernfs_node *node;
	bool complete;
};

static __always_inline struct kernfs_node *parent_of_node(struct kernfs_node *node)
{
	struct kernfs_node___parent *old = (void *)node;

	if (HAS(node, __parent))
		return READ(node, __parent);
	return READ(old, parent);
}

/* Takes one step up; true at the end of the walk, complete or not. */
static __noinline bool step_up_kernfs(struct kernfs_walk *walk)
{
	struct kernfs_node *node, *parent;
	struct reader *reader;
	const char *name;
	long size;
	u32 length, at;

	if (!walk)
		return true;
	node = walk->node;
	reader = walk->reader;
	parent = parent_of_node(node);
	if (!parent) {
		walk->complete = true;
		return true;
	}
	name = READ(node, name);
	/* The size counts the closing NUL. */
	size = bpf_probe_read_kernel_str(reader->record + PATH_MAX, NAME_ROOM, name);
	if (size < 2 || size > NAME_ROOM)
		return true;
	length = (u32)(size - 1) & NAME_MAX;
	at = reader->path_start;
	if (at <= length + 1)
		return true;
	at -= length + 1;
	reader->path_start = at;
	reader->record[IN_PATH(at)] = '/';
	/*
	 * From the copy: the name itself may be another by now, and shorter. Masked once
	 * more: before 6.13 the verifier forgets the bound in between.
	 */
	barrier_var(length);
	bpf_probe_read_kernel(reader->record + IN_PATH(at + 1), length & NAME_MAX,
			      reader->record + PATH_MAX);
	walk->node = parent;
	return false;
}

/* As walk_path(): the path's length, 0 if it is too long or too deep to follow. */
static __always_inline u32 walk_kernfs(struct reader *reader, struct kernfs_node *node)
{
	struct kernfs_walk walk = {
		.reader = reader,
		.node = node,
	};

	reader->path_start = PATH_MAX;
	repeat(PATH_MAX, 24, step_up_kernfs(&walk));
	if (!walk.complete || !(HAS(node, __parent) || HAS((struct kernfs_node___parent *)node, parent)))
		return 0;
	if (reader->path_start == PATH_MAX) {
		reader->path_start = PATH_MAX - 1;
		reader->record[PATH_MAX - 1] = '/';
	}
	return PATH_MAX - reader->path_start;
}

#endif

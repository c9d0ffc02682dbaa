/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Caches of the slab allocator. */
#ifndef ITERFS_KERNEL_SLAB_H
#define ITERFS_KERNEL_SLAB_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kmem_cache_order_objects {
	unsigned int x;
};

struct kmem_cache_node {
	unsigned long nr_partial;
	atomic64_t nr_slabs;
	atomic64_t total_objects;
};

struct kmem_cache {
	unsigned int flags;
	unsigned int size;
	unsigned int object_size;
	struct kmem_cache_order_objects oo;
	int refcount;
	unsigned int inuse;
	unsigned int align;
	const char *name;
	struct kmem_cache_node *node[1];
};

struct kmem_cache_per_node_ptrs {
	struct kmem_cache_node *node;
};

/* Since 7.1: two pointers for each node. */
struct kmem_cache___per_node {
	struct kmem_cache_per_node_ptrs per_node[1];
};

#pragma clang attribute pop

#endif

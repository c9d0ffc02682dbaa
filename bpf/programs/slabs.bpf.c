// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/slab.h"
#include "lib/loop.h"
#include "lib/read.h"
#include "lib/row.h"

struct ROW("a slab cache") slab_cache {
	bytes_t object_size ABSENT(-1) DOC("size of an object, as requested");
	bytes_t size ABSENT(-1) DOC("size of an object, including what the allocator adds");
	u32 align ABSENT(-1) DOC("alignment of objects, in bytes");
	u32 objects_per_slab ABSENT(-1) DOC("number of objects in a slab");
	u32 pages_per_slab ABSENT(-1) DOC("number of pages in a slab");
	u64 slabs ABSENT(-1) DOC("number of slabs");
	u64 objects ABSENT(-1) DOC("number of objects that the slabs have room for");
	pages_t memory ABSENT(-1) DOC("memory used by the slabs");
	u64 partial ABSENT(-1) DOC("number of partial slabs on the lists of the memory nodes");
	u32 users ABSENT(-1) DOC("number of caches merged into this one, including itself");
	hex_t flags ABSENT(-1) DOC("SLAB_* flags");
	tail_length_t name_length;
	char name[] KEY DOC("name of the cache");
};

/* mm/slub.c, OO_SHIFT: the order and the number of objects share an integer. */
#define OO_SHIFT 16
#define OO_MASK ((1 << OO_SHIFT) - 1)

/* The most memory nodes that Linux can be built for (CONFIG_NODES_SHIFT is at most 10). */
#define MAX_NODES 1024
#define NAME_ROOM 128

/*
 * The kernel's nr_node_ids: the entries that it allocates for arrays with one for each
 * memory node, although the struct declares more. The loader stores the number, and finds
 * it by its section (bpf/src/load/memory_nodes.rs); 0 if it does not know.
 */
const volatile u32 node_ids SEC(".rodata.nodes") = 0;

/* A walk over the memory nodes of a cache, and their sums. */
struct node_walk {
	struct kmem_cache *cache;
	u32 node;
	u64 slabs, objects, partial;
};

/* The part of a cache on a memory node; NULL if there is none. */
static __always_inline struct kmem_cache_node *node_at(struct kmem_cache *cache, u32 at)
{
	struct kmem_cache___per_node *paired = (void *)cache;
	struct kmem_cache_node **node = ADDRESS(cache, node), *found = NULL;
	struct kmem_cache_per_node_ptrs *pair = ADDRESS(paired, per_node);

	if (pair && HAS(pair, node)) {
		pair = (void *)pair + at * bpf_core_type_size(struct kmem_cache_per_node_ptrs);
		return READ(pair, node);
	}
	if (node)
		bpf_probe_read_kernel(&found, sizeof(found), node + at);
	return found;
}

/* Adds a node; true after the last. */
static __noinline bool add_node(struct node_walk *walk)
{
	struct kmem_cache_node *node;

	if (!walk || walk->node >= node_ids)
		return true;
	node = node_at(walk->cache, walk->node++);
	/* NULL for a node without memory. */
	if (node) {
		walk->slabs += READ(node, nr_slabs.counter);
		walk->objects += READ(node, total_objects.counter);
		walk->partial += READ(node, nr_partial);
	}
	return false;
}

/* Fills the columns that are sums over the memory nodes. */
static __always_inline void read_nodes(struct slab_cache *row, struct kmem_cache *cache)
{
	struct kmem_cache___per_node *paired = (void *)cache;
	struct kmem_cache_per_node_ptrs *pair;
	struct node_walk walk = { .cache = cache };
	struct kmem_cache_node *node;

	row->slabs = row->objects = row->partial = row->memory = -1;
	if (!node_ids || (!HAS(cache, node) && !(HAS(paired, per_node) && HAS(pair, node))))
		return;
	if (!repeat(MAX_NODES, 1, add_node(&walk)))
		return;
	/* Without CONFIG_SLUB_DEBUG a node counts only partial slabs. */
	if (HAS(node, nr_partial))
		row->partial = walk.partial;
	if (HAS(node, total_objects.counter))
		row->objects = walk.objects;
	if (HAS(node, nr_slabs.counter)) {
		row->slabs = walk.slabs;
		if (HAS(cache, oo.x))
			row->memory = row->slabs * row->pages_per_slab;
	}
}

SEC("iter/kmem_cache")
int dump_slabs(struct bpf_iter__kmem_cache *ctx)
{
	struct kmem_cache *cache = ctx->s;
	struct seq_file *seq = begin_rows(ctx->meta, cache);
	struct question *question = current_question();
	struct slab_cache row = {};
	char name[NAME_ROOM];
	u32 order;
	long size;

	if (!cache)
		return 0;

	SET(row.object_size, cache, object_size);
	SET(row.size, cache, size);
	SET(row.align, cache, align);
	if (HAS(cache, oo.x)) {
		row.objects_per_slab = cache->oo.x & OO_MASK;
		order = cache->oo.x >> OO_SHIFT;
		row.pages_per_slab = 1 << (order & 31);
	} else {
		UNSET(row.objects_per_slab);
		UNSET(row.pages_per_slab);
	}
	if (WANTS_ANY(question, &row, slabs, partial))
		read_nodes(&row, cache);
	/* The walk holds a reference, except on the caches made at boot, which count none. */
	if (HAS(cache, refcount))
		row.users = cache->refcount > 0 ? cache->refcount - 1 : 1;
	else
		UNSET(row.users);
	SET(row.flags, cache, flags);
	size = bpf_probe_read_kernel_str(name, sizeof(name), FIELD(cache, name));
	if (size < 1 || size > NAME_ROOM)
		size = 1;
	row.name_length = size - 1;

	write_row_with_tail(seq, &row, name, name, row.name_length & (NAME_ROOM - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

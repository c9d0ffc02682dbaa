// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "row.h"

struct ROW("a slab cache") slab_cache {
	bytes_t object_size DOC("size of an object, as its user asked");
	bytes_t size DOC("size of an object with what the allocator adds");
	u32 align DOC("alignment of objects, in bytes");
	u32 objects_per_slab DOC("objects in a slab");
	u32 pages_per_slab DOC("pages in a slab");
	u64 slabs DOC("slabs there are");
	u64 objects DOC("objects there is room for");
	pages_t memory DOC("memory that the slabs take");
	u64 partial DOC("slabs that are neither full nor empty, on the nodes' lists");
	u32 users DOC("caches that were merged into this one, itself included");
	hex_t flags DOC("SLAB_* flags");
	tail_length_t name_length;
	char name[] DOC("name of the cache");
};

/* mm/slub.c, OO_SHIFT: how order and number of objects share an integer. */
#define OO_SHIFT 16
#define OO_MASK ((1 << OO_SHIFT) - 1)

#define MAX_NODES 64
#define NAME_ROOM 128

SEC("iter/kmem_cache")
int dump_slabs(struct bpf_iter__kmem_cache *ctx)
{
	struct kmem_cache *cache = ctx->s;
	struct seq_file *seq = begin_rows(ctx->meta, cache);
	struct slab_cache row = {};
	char name[NAME_ROOM];
	u32 order;
	long size;

	if (!cache)
		return 0;

	row.object_size = cache->object_size;
	row.size = cache->size;
	row.align = cache->align;
	row.objects_per_slab = cache->oo.x & OO_MASK;
	order = cache->oo.x >> OO_SHIFT;
	row.pages_per_slab = 1 << (order & 31);
	for (int i = 0; i < MAX_NODES; i++) {
		struct kmem_cache_node *node = BPF_CORE_READ(cache, node[i]);

		if (!node)
			break;
		row.slabs += BPF_CORE_READ(node, nr_slabs.counter);
		row.objects += BPF_CORE_READ(node, total_objects.counter);
		row.partial += BPF_CORE_READ(node, nr_partial);
	}
	row.memory = row.slabs * row.pages_per_slab;
	/* The walk holds one itself, but of the caches made at boot, which have none. */
	row.users = cache->refcount > 0 ? cache->refcount - 1 : 1;
	row.flags = cache->flags;
	size = bpf_probe_read_kernel_str(name, sizeof(name), cache->name);
	if (size < 1 || size > NAME_ROOM)
		return 0;
	row.name_length = size - 1;

	write_row_with_tail(seq, &row, name, name, row.name_length & (NAME_ROOM - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

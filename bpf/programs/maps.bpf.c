// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/read.h"
#include "lib/row.h"

/* include/uapi/linux/bpf.h, enum bpf_map_type, by the names that bpftool prints. */
enum map_type {
	map_type__unspec,
	map_type__hash,
	map_type__array,
	map_type__prog_array,
	map_type__perf_event_array,
	map_type__percpu_hash,
	map_type__percpu_array,
	map_type__stack_trace,
	map_type__cgroup_array,
	map_type__lru_hash,
	map_type__lru_percpu_hash,
	map_type__lpm_trie,
	map_type__array_of_maps,
	map_type__hash_of_maps,
	map_type__devmap,
	map_type__sockmap,
	map_type__cpumap,
	map_type__xskmap,
	map_type__sockhash,
	map_type__cgroup_storage,
	map_type__reuseport_sockarray,
	map_type__percpu_cgroup_storage,
	map_type__queue,
	map_type__stack,
	map_type__sk_storage,
	map_type__devmap_hash,
	map_type__struct_ops,
	map_type__ringbuf,
	map_type__inode_storage,
	map_type__task_storage,
	map_type__bloom_filter,
	map_type__user_ringbuf,
	map_type__cgrp_storage,
	map_type__arena,
};

/* include/uapi/linux/bpf.h, BPF_F_*: the flags of a new map. */
enum map_flag {
	map_flag__NO_PREALLOC = 1 << 0,
	map_flag__NO_COMMON_LRU = 1 << 1,
	map_flag__NUMA_NODE = 1 << 2,
	map_flag__RDONLY = 1 << 3,
	map_flag__WRONLY = 1 << 4,
	map_flag__STACK_BUILD_ID = 1 << 5,
	map_flag__ZERO_SEED = 1 << 6,
	map_flag__RDONLY_PROG = 1 << 7,
	map_flag__WRONLY_PROG = 1 << 8,
	map_flag__CLONE = 1 << 9,
	map_flag__MMAPABLE = 1 << 10,
	map_flag__PRESERVE_ELEMS = 1 << 11,
	map_flag__INNER_MAP = 1 << 12,
	map_flag__LINK = 1 << 13,
	map_flag__PATH_FD = 1 << 14,
	map_flag__VTYPE_BTF_OBJ_FD = 1 << 15,
	map_flag__TOKEN_FD = 1 << 16,
	map_flag__SEGV_ON_FAULT = 1 << 17,
	map_flag__NO_USER_CONV = 1 << 18,
};

struct ROW("a BPF map") map {
	u32 id KEY ABSENT(-1) DOC("id of the map");
	enum map_type type ABSENT(-1) DOC("type, as bpftool names it");
	char name[16] DOC("name that its creator gave it");
	enum map_flag flags FLAGS ABSENT(-1) DOC("flags that it was created with");
	u32 key_size ABSENT(-1) DOC("size of a key, in bytes");
	u32 value_size ABSENT(-1) DOC("size of a value, in bytes");
	u32 max_entries ABSENT(-1) DOC("maximum number of entries");
	s64 entries ABSENT(-1) DOC("number of entries, if its type counts them");
	u64 extra DOC("map_extra, whose meaning depends on the type");
	u32 btf ABSENT(0) DOC("id of the BTF that describes its keys and values");
	bool frozen ABSENT(-1) DOC("whether it is read-only for user space");
	u64 refs ABSENT(-1) DOC("references held on it");
	u64 user_refs ABSENT(-1) DOC("those held by descriptors and pins");
};

extern s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym __weak;

/* Whether maps of a type count their entries (kernel/bpf/map_iter.c); others report 0. */
static __always_inline bool keeps_count(u32 type)
{
	return type == map_type__hash || type == map_type__percpu_hash ||
	       type == map_type__lru_hash || type == map_type__lru_percpu_hash ||
	       type == map_type__hash_of_maps;
}

SEC("iter/bpf_map")
int dump_maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct seq_file *seq = begin_rows(ctx->meta, map);
	struct question *question = current_question();
	struct map row = {};

	if (!map)
		return 0;

	SET(row.id, map, id);
	SET(row.type, map, map_type);
	COPY_NAME(row.name, map, name);
	SET(row.flags, map, map_flags);
	SET(row.key_size, map, key_size);
	SET(row.value_size, map, value_size);
	SET(row.max_entries, map, max_entries);
	row.entries = -1;
	if (bpf_ksym_exists(bpf_map_sum_elem_count) && keeps_count(row.type) &&
	    WANTS(question, &row, entries))
		row.entries = bpf_map_sum_elem_count(map);
	/* Since 5.16. */
	row.extra = FIELD(map, map_extra);
	row.btf = FIELD(map, btf, id);
	SET(row.frozen, map, frozen);
	/* The walk holds a reference on the map that it shows (bpf_map_seq_next()). */
	SET(row.refs, map, refcnt.counter);
	if (HAS(map, refcnt.counter))
		row.refs--;
	SET(row.user_refs, map, usercnt.counter);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

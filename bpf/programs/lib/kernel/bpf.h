/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* BPF maps, programs and links. */
#ifndef ITERFS_KERNEL_BPF_H
#define ITERFS_KERNEL_BPF_H

#include "cgroup.h"
#include "namespace.h"
#include "net_device.h"
#include "types.h"

/* These enums are only read as numbers. */
enum bpf_link_type { BPF_LINK_TYPE_UNSPEC };
enum bpf_attach_type { BPF_CGROUP_INET_INGRESS };
enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct btf {
	u32 id;
};

struct bpf_map {
	enum bpf_map_type map_type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 map_flags;
	u32 id;
	u64 map_extra;
	struct btf *btf;
	char name[16];
	atomic64_t refcnt;
	atomic64_t usercnt;
	bool frozen;
};

/* An array map; in a per-cpu array, pptrs has the per-cpu pointer of each element. */
struct bpf_array {
	struct bpf_map map;
	void *pptrs[1];
};

struct user_struct {
	kuid_t uid;
};

struct bpf_prog_aux {
	u32 id;
	u32 used_map_cnt;
	u32 func_cnt;
	u32 attach_btf_id;
	u32 verified_insns;
	struct bpf_prog **func;
	u64 load_time;
	char name[16];
	struct user_struct *user;
	struct btf *btf;
};

typedef struct {
	s64 v;
} u64_stats_t;

/* Per-cpu. */
struct bpf_prog_stats {
	u64_stats_t cnt;
	u64_stats_t nsecs;
};

struct bpf_prog {
	u16 jited : 1;
	u16 gpl_compatible : 1;
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	u32 len;
	u32 jited_len;
	u8 tag[8];
	u16 pages;
	struct bpf_prog_stats *stats;
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
	enum bpf_attach_type attach_type;
};

struct bpf_iter_reg {
	const char *target;
};

struct bpf_iter_target_info {
	struct bpf_iter_reg *reg_info;
};

struct bpf_iter_link {
	struct bpf_iter_target_info *tinfo;
};

struct tracepoint {
	const char *name;
};

struct bpf_raw_event_map {
	struct tracepoint *tp;
};

struct bpf_raw_tp_link {
	struct bpf_raw_event_map *btp;
};

struct bpf_cgroup_link {
	struct cgroup *cgroup;
};

struct bpf_netns_link {
	struct net *net;
};

struct bpf_struct_ops_link {
	struct bpf_map *map;
};

struct bpf_xdp_link {
	struct net_device *dev;
};

#pragma clang attribute pop

#endif

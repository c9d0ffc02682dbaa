/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's types that the programs rely on, and no others. This file has the basic
 * ones; those beside it have one subject each.
 *
 * Only names and nesting matter in these files. libbpf relocates every access against
 * the running kernel's BTF when it loads a program (CO-RE), so offsets, sizes and the
 * fields left out here do not matter. A type that differs between kernels has a flavour,
 * `name___difference`, which libbpf matches with `name`; a program asks HAS() (read.h)
 * which of the two the kernel has.
 */
#ifndef ITERFS_KERNEL_TYPES_H
#define ITERFS_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef signed short __s16;
typedef unsigned int __u32;
typedef signed int __s32;
typedef unsigned long long __u64;
typedef signed long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0

/* The part of include/uapi/linux/bpf.h that libbpf's headers and our maps need. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
};
enum { BPF_ANY, BPF_NOEXIST };
enum { BPF_F_NO_PREALLOC = 1 };

/* Helpers that programs ask for: the kernel has one if it has its number. */
enum bpf_func_id { BPF_FUNC_sock_from_file = 162, BPF_FUNC_map_lookup_percpu_elem = 195 };

/* The state of bpf_for() (kernel/bpf/bpf_iter.c, since 6.4). */
struct bpf_iter_num {
	__u64 opaque;
};

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef long long loff_t;

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

#pragma clang attribute pop

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel fields that the programs rely on, and no others.
 *
 * Only names and nesting matter here: every access is relocated against the
 * running kernel's BTF when a program is loaded (CO-RE), so offsets, sizes and
 * the fields left out do not. A type that changed between kernels has a
 * flavour, `name___what_differs`, that libbpf matches with `name`; programs ask
 * bpf_core_field_exists() which one is there.
 */
#ifndef ITERFS_KERNEL_H
#define ITERFS_KERNEL_H

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

/* What bpf_helpers.h needs to know of the uapi. */
enum bpf_map_type { BPF_MAP_TYPE_HASH = 1 };
enum { BPF_ANY = 0 };

/* Enums of the kernel's that are read as numbers. */
enum bpf_link_type { BPF_LINK_TYPE_UNSPEC };
enum bpf_attach_type { BPF_CGROUP_INET_INGRESS };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

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

/* ---- iterators (kernel/bpf) ---- */

struct seq_file {
	void *private;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_iter__netlink {
	struct bpf_iter_meta *meta;
	struct netlink_sock *sk;
};

struct bpf_iter__ipv6_route {
	struct bpf_iter_meta *meta;
	struct fib6_info *rt;
};

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

/* ---- namespaces and pids ---- */

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct user_namespace {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

/* ---- tasks ---- */

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	struct user_namespace *user_ns;
};

struct signal_struct {
	int nr_threads;
	struct list_head thread_head;
	u64 utime;
	u64 stime;
	unsigned long long sum_sched_runtime;
};

struct percpu_counter {
	s64 count;
	s32 *counters;
};

/* Before 6.2: one plain counter a kind. */
struct mm_rss_stat {
	atomic64_t count[4];
};

struct mm_struct {
	unsigned long total_vm;
	struct percpu_counter rss_stat[4];
	struct file *exe_file;
};

struct mm_struct___plain_rss {
	struct mm_rss_stat rss_stat;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct thread_info {
	u32 cpu;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	int exit_state;
	unsigned int flags;
	int prio;
	int static_prio;
	unsigned int policy;
	struct sched_entity se;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct list_head thread_node;
	struct pid *thread_pid;
	u64 utime;
	u64 stime;
	u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
};

/* Before 5.14 the state was a long of another name. */
struct task_struct___long_state {
	long state;
};

/* Before 5.16 x86 kept the processor here, not in thread_info. */
struct task_struct___own_cpu {
	unsigned int cpu;
};

/* ---- files ---- */

typedef long long loff_t;

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
};

struct vfsmount {
	struct dentry *mnt_root;
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

/* ---- sockets ---- */

struct sock_common {
	unsigned short skc_family;
	refcount_t skc_refcnt;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	atomic_t sk_drops;
	refcount_t sk_wmem_alloc;
	struct socket *sk_socket;
	kuid_t sk_uid;
	u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct netlink_sock {
	struct sock sk;
	u32 portid;
	u32 ngroups;
	unsigned long *groups;
	bool cb_running;
};

/* ---- routes ---- */

struct net_device {
	char name[16];
};

struct fib_nh_common {
	struct net_device *nhc_dev;
	u8 nhc_gw_family;
	union {
		struct in6_addr ipv6;
	} nhc_gw;
};

struct fib6_nh {
	struct fib_nh_common nh_common;
};

struct nh_info {
	struct fib6_nh fib6_nh;
};

struct nh_grp_entry {
	struct nexthop *nh;
};

struct nh_group {
	struct nh_grp_entry nh_entries[1];
};

struct nexthop {
	bool is_group;
	struct nh_info *nh_info;
	struct nh_group *nh_grp;
};

struct rt6key {
	struct in6_addr addr;
	int plen;
};

struct fib6_info {
	refcount_t fib6_ref;
	struct rt6key fib6_dst;
	u32 fib6_flags;
	struct rt6key fib6_src;
	u32 fib6_metric;
	struct nexthop *nh;
	struct fib6_nh fib6_nh[1];
};

/* ---- BPF objects ---- */

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

struct bpf_prog_aux {
	u32 id;
};

struct bpf_prog {
	enum bpf_attach_type expected_attach_type;
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
	const struct bpf_iter_reg *reg_info;
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

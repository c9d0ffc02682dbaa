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
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
};
enum { BPF_ANY, BPF_NOEXIST };
enum { BPF_F_NO_PREALLOC = 1 };

/* Enums of the kernel's that are read as numbers. */
enum bpf_link_type { BPF_LINK_TYPE_UNSPEC };
enum bpf_attach_type { BPF_CGROUP_INET_INGRESS };
enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC };
enum cgroup_subsys_id { memory_cgrp_id };
enum task_dumpable { TASK_DUMPABLE_OFF };
enum bpf_func_id { BPF_FUNC_sock_from_file = 162, BPF_FUNC_map_lookup_percpu_elem = 195 };

/* An open-coded iterator's state (kernel/bpf/bpf_iter.c, 6.4). */
struct bpf_iter_num {
	__u64 opaque;
};

/* What a walk over tasks is narrowed to (include/linux/bpf.h, 6.1). */
enum bpf_iter_task_type { BPF_TASK_ITER_ALL };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "read.h"

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

/* ---- iterators (kernel/bpf) ---- */

struct seq_file {
	unsigned long count;
	loff_t index;
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

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	u32 uid;
};

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
	u32 uid;
};

struct bpf_iter__unix {
	struct bpf_iter_meta *meta;
	struct unix_sock *unix_sk;
	u32 uid;
};

/* Where the kernel collects sockets, and holds each, before it shows them. */
struct bpf_tcp_iter_state {
	void *batch;
};

struct bpf_udp_iter_state {
	void *batch;
};

struct bpf_unix_iter_state {
	void *batch;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

struct bpf_iter__ksym {
	struct bpf_iter_meta *meta;
	struct kallsym_iter *ksym;
};

struct bpf_iter__kmem_cache {
	struct bpf_iter_meta *meta;
	struct kmem_cache *s;
};

struct bpf_iter__dmabuf {
	struct bpf_iter_meta *meta;
	struct dma_buf *dmabuf;
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

struct bpf_iter__cgroup {
	struct bpf_iter_meta *meta;
	struct cgroup *cgroup;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__sockmap {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	struct sock *sk;
};

/* What walks over tasks and over what they hold keep: the front of their `private`. */
struct bpf_iter_seq_task_common {
	struct pid_namespace *ns;
	enum bpf_iter_task_type type;
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
	struct user_namespace *parent;
	kuid_t owner;
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
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	struct {
		u64 val;
	} cap_permitted;
	struct user_namespace *user_ns;
};

/* Before 6.3. */
struct cred___cap_words {
	struct {
		u32 cap[2];
	} cap_permitted;
};

struct prev_cputime {
	u64 utime;
	u64 stime;
};

struct signal_struct {
	struct prev_cputime prev_cputime;
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
	unsigned long start_brk, brk, start_stack;
	struct percpu_counter rss_stat[4];
	struct file *exe_file;
	unsigned long flags;
};

/* Since 6.18 the flags are a bitmap. */
struct mm_struct___flag_bits {
	struct {
		unsigned long __mm_flags[1];
	} flags;
};

struct mm_struct___plain_rss {
	struct mm_rss_stat rss_stat;
};

struct anon_vma_name {
	char name[1];
};

struct vm_special_mapping {
	const char *name;
};

struct vm_operations_struct {
	const void *name;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
	void *vm_private_data;
	struct anon_vma_name *anon_name;
};

/* ---- cgroups ---- */

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};

/* Before 6.15. */
struct kernfs_node___parent {
	struct kernfs_node *parent;
};

/* Since 7.2 a controller's state counts what is populated, the cgroup's own included. */
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	unsigned int flags;
	int nr_populated_csets;
	int nr_populated_children;
};

struct task_cputime {
	unsigned long long sum_exec_runtime;
};

struct cgroup_base_stat {
	struct task_cputime cputime;
};

struct cgroup_freezer_state {
	bool freeze;
};

/* Before 6.16. */
struct cgroup_rstat_cpu {
	struct cgroup *updated_next;
};

struct cgroup {
	struct cgroup_subsys_state self;
	unsigned long flags;
	int level;
	int nr_descendants;
	int nr_dying_descendants;
	int nr_populated_domain_children;
	int nr_populated_threaded_children;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[1];
	struct list_head cset_links;
	struct cgroup *dom_cgrp;
	struct cgroup_base_stat bstat;
	struct cgroup_freezer_state freezer;
};

/* Before 7.2. */
struct cgroup___own_csets {
	int nr_populated_csets;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	int nr_tasks;
};

struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct css_set *cset;
	struct list_head cset_link;
};

struct page_counter {
	atomic64_t usage;
	unsigned long max;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};

/* ---- what a task holds ---- */

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
	int pid;
	int tgid;
	struct sched_entity se;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct list_head thread_node;
	struct pid *thread_pid;
	u64 utime;
	u64 stime;
	struct prev_cputime prev_cputime;
	u64 start_boottime;
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct task_exec_state *exec_state;
};

/* Since 7.2: what an exec decides about a task, the address space included. */
struct task_exec_state {
	enum task_dumpable dumpable;
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

/* Since 6.8: a file of a filesystem below, and the path it was opened by. */
struct backing_file {
	struct file file;
	struct path user_path;
};

/* ---- sockets ---- */

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	refcount_t skc_refcnt;
};

struct sk_buff {
	struct sk_buff *next;
	char cb[48];
	unsigned int len;
};

struct sk_buff_head {
	struct sk_buff *next;
	u32 qlen;
};

/* What unix sockets keep in sk_buff.cb. */
struct unix_skb_parms {
	u32 consumed;
};

struct timer_list {
	struct {
		void *pprev;
	} entry;
	unsigned long expires;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Since 6.18, for sockets whose losses are counted on several processors. */
struct numa_drop_counters {
	atomic_t drops0;
	atomic_t drops1;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	int sk_sndbuf;
	int sk_wmem_queued;
	atomic_t sk_drops;
	struct numa_drop_counters *sk_drop_counters;
	refcount_t sk_wmem_alloc;
	/* Since 6.19 shared by the timers for retransmission of several protocols. */
	struct timer_list sk_timer;
	struct timer_list tcp_retransmit_timer;
	u32 sk_mark;
	struct socket *sk_socket;
	kuid_t sk_uid;
	unsigned long sk_ino;
	u16 sk_type;
	u16 sk_protocol;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	struct sock_cgroup_data sk_cgrp_data;
};

struct socket {
	struct sock *sk;
};

struct inet_sock {
	struct sock sk;
};

struct tcp_congestion_ops {
	char name[16];
};

struct inet_connection_sock {
	struct timer_list icsk_retransmit_timer;
	/* Since 6.19; before, sk_timer was the timer for keepalive. */
	struct timer_list icsk_keepalive_timer;
	u32 icsk_rto;
	const struct tcp_congestion_ops *icsk_ca_ops;
	u8 icsk_retransmits;
	u8 icsk_pending;
	u8 icsk_probes_out;
};

/* Before 6.17 the retransmit timer kept its end apart. */
struct inet_connection_sock___own_timeout {
	unsigned long icsk_timeout;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 rcv_nxt, copied_seq, write_seq, snd_una;
	u32 srtt_us, mdev_us;
	u32 snd_cwnd, snd_ssthresh, mss_cache;
	u32 snd_wnd, rcv_wnd;
	u32 total_retrans;
	u64 bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	u32 segs_out, segs_in;
};

struct inet_timewait_sock {
	struct timer_list tw_timer;
	unsigned char tw_substate;
	u32 tw_mark;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct request_sock {
	u8 num_timeout : 7;
	struct timer_list rsk_timer;
	struct sock *rsk_listener;
};

struct inet_request_sock {
	struct request_sock req;
	u32 ir_mark;
};

struct tcp_request_sock {
	struct inet_request_sock req;
};

struct udp_sock {
	struct inet_sock inet;
	int forward_deficit;
};

struct unix_address {
	int len;
	struct {
		char sun_path[108];
	} name[1];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
	int inq_len;
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

/* A map of arrays; of one per processor, where its elements lie in per-cpu memory. */
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

/* One on each processor. */
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

/* ---- the kernel's own memory and names ---- */

struct kallsym_iter {
	loff_t pos;
	unsigned long value;
	char type;
	char name[512];
	char module_name[56];
	int exported;
	int show_value;
};

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

/* Since 7.1. */
struct kmem_cache___per_node {
	struct kmem_cache_per_node_ptrs per_node[1];
};

struct dma_buf {
	unsigned long size;
	struct file *file;
	const char *exp_name;
	const char *name;
};

#pragma clang attribute pop

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets of every family. */
#ifndef ITERFS_KERNEL_SOCKET_H
#define ITERFS_KERNEL_SOCKET_H

#include "cgroup.h"
#include "file.h"
#include "namespace.h"
#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

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

struct timer_list {
	struct {
		void *pprev;
	} entry;
	unsigned long expires;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Since 6.18: two counters, for protocols whose packets arrive on several nodes. */
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
	/* Before 6.19 TCP's keepalive timer; since then a union with the next field. */
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

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct inet_sock {
	struct sock sk;
};

struct udp_sock {
	struct inet_sock inet;
	int forward_deficit;
};

/* The contents of sk_buff.cb in the queue of a unix socket. */
struct unix_skb_parms {
	u32 consumed;
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

struct netlink_sock {
	struct sock sk;
	u32 portid;
	u32 ngroups;
	unsigned long *groups;
	bool cb_running;
};

#pragma clang attribute pop

#endif

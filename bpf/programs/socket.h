/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the socket tables share: states, addresses, inode, cgroup. */
#ifndef ITERFS_SOCKET_H
#define ITERFS_SOCKET_H

#include "row.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

/* include/net/tcp_states.h, by the names ss prints; other protocols borrow them. */
enum socket_state {
	socket_state__ESTAB = 1,
	socket_state__SYN_SENT,
	socket_state__SYN_RECV,
	socket_state__FIN_WAIT_1,
	socket_state__FIN_WAIT_2,
	socket_state__TIME_WAIT,
	socket_state__UNCONN,
	socket_state__CLOSE_WAIT,
	socket_state__LAST_ACK,
	socket_state__LISTEN,
	socket_state__CLOSING,
	socket_state__NEW_SYN_RECV,
};

/* include/linux/net.h, enum sock_type, by the names ss prints of unix sockets. */
enum socket_type {
	socket_type__none,
	socket_type__stream,
	socket_type__dgram,
	socket_type__raw,
	socket_type__rdm,
	socket_type__seqpacket,
	socket_type__dccp,
	socket_type__packet = 10,
};

/* include/uapi/linux/magic.h */
#define SOCKFS_MAGIC 0x534F434B

/* A socket's name opened with O_PATH is none: it lies on another filesystem. */
static __always_inline bool is_socket(struct file *file)
{
	return file->f_inode->i_sb->s_magic == SOCKFS_MAGIC;
}

static __always_inline u16 host_order(__be16 value)
{
	return __builtin_bswap16(value);
}

/* A half-open connection is one to everybody but the kernel's hash tables. */
static __always_inline enum socket_state state_of(u8 state)
{
	return state == socket_state__NEW_SYN_RECV ? socket_state__SYN_RECV : state;
}

static __always_inline void local_address(u8 *out, struct sock_common *common)
{
	if (BPF_CORE_READ(common, skc_family) == AF_INET6) {
		out[0] = 6;
		bpf_core_read(out + 1, 16, &common->skc_v6_rcv_saddr);
	} else {
		out[0] = 4;
		bpf_core_read(out + 1, 4, &common->skc_rcv_saddr);
	}
}

static __always_inline void remote_address(u8 *out, struct sock_common *common)
{
	if (BPF_CORE_READ(common, skc_family) == AF_INET6) {
		out[0] = 6;
		bpf_core_read(out + 1, 16, &common->skc_v6_daddr);
	} else {
		out[0] = 4;
		bpf_core_read(out + 1, 4, &common->skc_daddr);
	}
}

/* The inode number that /proc/<pid>/fd shows; 0 once no descriptor is left. */
static __always_inline u64 inode_of(struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);

	if (!socket)
		return 0;
	return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

static __always_inline u64 cgroup_of(struct sock *sk)
{
	if (!bpf_core_field_exists(struct sock_cgroup_data, cgroup))
		return 0;
	return BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
}

static __always_inline u32 drops_of(struct sock *sk)
{
	u32 drops = BPF_CORE_READ(sk, sk_drops.counter);

	if (bpf_core_field_exists(sk->sk_drop_counters)) {
		struct numa_drop_counters *counters = BPF_CORE_READ(sk, sk_drop_counters);

		if (counters)
			drops += BPF_CORE_READ(counters, drops0.counter) +
				 BPF_CORE_READ(counters, drops1.counter);
	}
	return drops;
}

/* References held on a socket, but for that of the walk's own batch. */
#define refs_of(common, iterator)                                                                  \
	((common)->skc_refcnt.refs.counter - bpf_core_field_exists(struct iterator, batch))

/* Bytes being sent. The counter starts at 1 (sk_alloc()), as sk_wmem_alloc_get() knows. */
static __always_inline u64 sending_of(struct sock *sk)
{
	u32 allocated = BPF_CORE_READ(sk, sk_wmem_alloc.refs.counter);

	return allocated ? allocated - 1 : 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets of any family: states, addresses, and the fields that all of them have. */
#ifndef ITERFS_SOCKET_H
#define ITERFS_SOCKET_H

#include "kernel/iterators.h"
#include "kernel/socket.h"
#include "read.h"
#include "row.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

/* include/net/tcp_states.h, by the names that ss prints; other protocols use them, too. */
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

/* ABSENT(-1): the kernel does not tell. */
#define UNKNOWN_SOCKET_STATE ((enum socket_state)-1)

/* include/linux/socket.h, AF_*: the families that a process can hold sockets of. */
enum socket_family {
	socket_family__unspec,
	socket_family__unix,
	socket_family__inet,
	socket_family__inet6 = 10,
	socket_family__netlink = 16,
	socket_family__packet,
	socket_family__pppox = 24,
	socket_family__can = 29,
	socket_family__tipc,
	socket_family__bluetooth,
	socket_family__alg = 38,
	socket_family__vsock = 40,
	socket_family__qipcrtr = 42,
	socket_family__smc,
	socket_family__xdp,
};

/* include/linux/net.h, enum sock_type, by the names that ss prints for unix sockets. */
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

/*
 * Whether a file is a socket. The name of a unix socket, opened with O_PATH, is not: it
 * lies on another filesystem.
 */
static __always_inline bool is_socket(struct file *file)
{
	return FIELD(file, f_inode, i_sb, s_magic) == SOCKFS_MAGIC;
}

/* The socket behind a file; NULL if the file is not a socket. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket;

	/* Since 5.11 a helper tells by the file alone; most files are not sockets. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_sock_from_file)) {
		socket = bpf_sock_from_file(file);
		return socket ? FIELD(socket, sk) : NULL;
	}
	if (!is_socket(file))
		return NULL;
	socket = FIELD(file, private_data);
	return READ(socket, sk);
}

/* A port, from network byte order. */
static __always_inline u16 host_order(__be16 value)
{
	return __builtin_bswap16(value);
}

/* The state as user space sees it: only the kernel tells NEW_SYN_RECV from SYN_RECV. */
static __always_inline enum socket_state socket_state(struct sock_common *common)
{
	u8 state = READ(common, skc_state);

	if (!HAS(common, skc_state))
		return UNKNOWN_SOCKET_STATE;
	return state == socket_state__NEW_SYN_RECV ? socket_state__SYN_RECV : state;
}

/* If the kernel lacks the field, the address stays without a family and so is absent. */
#define READ_ADDRESS(out, common, ipv4, ipv6)                                                      \
	({                                                                                         \
		u16 family = READ(common, skc_family);                                             \
		__be32 address;                                                                    \
		if (family == AF_INET6 && HAS(common, ipv6)) {                                     \
			(out)[0] = 6;                                                              \
			bpf_core_read((out) + 1, 16, &(common)->ipv6);                             \
		} else if (family == AF_INET && HAS(common, ipv4)) {                               \
			(out)[0] = 4;                                                              \
			address = READ(common, ipv4);                                              \
			__builtin_memcpy((out) + 1, &address, sizeof(address));                    \
		}                                                                                  \
	})

static __always_inline void local_address(u8 *out, struct sock_common *common)
{
	READ_ADDRESS(out, common, skc_rcv_saddr, skc_v6_rcv_saddr);
}

static __always_inline void remote_address(u8 *out, struct sock_common *common)
{
	READ_ADDRESS(out, common, skc_daddr, skc_v6_daddr);
}

/* Each socket begins with its struct sock_common (include/net/sock.h, __sk_common). */
static __always_inline struct sock_common *common_of(struct sock *sk)
{
	return (void *)sk;
}

/* Stores a port; all ones if the kernel does not tell. */
#define SET_PORT(column, common, field)                                                            \
	((column) = HAS(common, field) ? host_order(READ(common, field)) : (u32)-1)

/* The inode number that /proc/<pid>/fd shows; 0 once no descriptor is left. */
static __always_inline u64 inode_of(struct sock *sk)
{
	struct socket *socket;

	/* Since 6.18 the socket has a copy, which saves two reads. */
	if (HAS(sk, sk_ino))
		return READ(sk, sk_ino);
	socket = READ(sk, sk_socket);
	if (!socket)
		return 0;
	return READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

/* The id of the cgroup that created the socket. */
static __always_inline u64 cgroup_of(struct sock *sk)
{
	return READ(sk, sk_cgrp_data.cgroup, kn, id);
}

/* Packets dropped on arrival; all ones if the kernel does not tell. */
static __always_inline u32 drops_of(struct sock *sk)
{
	struct numa_drop_counters *counters;
	u32 drops;

	if (!HAS(sk, sk_drops.counter))
		return -1;
	drops = READ(sk, sk_drops.counter);
	if (HAS(sk, sk_drop_counters)) {
		counters = READ(sk, sk_drop_counters);
		if (counters)
			drops += READ(counters, drops0.counter) + READ(counters, drops1.counter);
	}
	return drops;
}

/*
 * References held on a socket, without the one of the walk's own batch; all ones if the
 * kernel does not tell.
 */
#define refs_of(common, iterator)                                                                  \
	(HAS(common, skc_refcnt.refs.counter)                                                      \
		 ? (common)->skc_refcnt.refs.counter - bpf_core_field_exists(struct iterator, batch) \
		 : -1)

/* The columns of an IP socket's addresses, which are zero if it is not bound or connected. */
struct ip_ends {
	inet_t local KEY DOC("local address");
	u32 local_port KEY ABSENT(-1) DOC("local port");
	inet_t remote KEY DOC("address of the other end; all zeros if there is none");
	u32 remote_port KEY ABSENT(-1) DOC("port of the other end; 0 if there is none");
};

static __always_inline void read_ip_ends(struct ip_ends *ends, struct sock_common *common)
{
	local_address(ends->local, common);
	SET(ends->local_port, common, skc_num);
	remote_address(ends->remote, common);
	SET_PORT(ends->remote_port, common, skc_dport);
}

/* The columns that sockets of all families have. */
struct socket_ends {
	enum socket_family family ABSENT(-1) DOC("address family");
	enum socket_type type ABSENT(-1) DOC("type of socket: stream, dgram, raw, seqpacket");
	u32 protocol ABSENT(-1) DOC("protocol number within the family, such as 6 for TCP");
	enum socket_state state ABSENT(-1) DOC("state of the socket, as ss names it");
	inet_t local KEY DOC("address of this end; none if the family is not IP");
	u16 local_port KEY ABSENT(0) DOC("local port");
	inet_t remote KEY DOC("remote address");
	u16 remote_port KEY ABSENT(0) DOC("remote port");
};

static __always_inline void read_ends(struct socket_ends *ends, struct sock *sk)
{
	struct sock_common *common = common_of(sk);

	SET_READ(ends->family, common, skc_family);
	SET_READ(ends->type, sk, sk_type);
	SET_READ(ends->protocol, sk, sk_protocol);
	ends->state = socket_state(common);
	if (ends->family != AF_INET && ends->family != AF_INET6)
		return;
	local_address(ends->local, common);
	ends->local_port = READ(common, skc_num);
	/* A socket that is not connected has no other end, rather than one at address 0. */
	ends->remote_port = host_order(READ(common, skc_dport));
	if (ends->remote_port)
		remote_address(ends->remote, common);
}

/*
 * Memory of what is being sent, in bytes; all ones if the kernel does not tell. The
 * counter starts at 1 (sk_alloc(), sk_wmem_alloc_get()).
 */
static __always_inline u64 sending_of(struct sock *sk)
{
	u32 allocated = READ(sk, sk_wmem_alloc.refs.counter);

	if (!HAS(sk, sk_wmem_alloc.refs.counter))
		return -1;
	return allocated ? allocated - 1 : 0;
}

#endif

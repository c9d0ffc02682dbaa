// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/socket.h"
#include "lib/process_group.h"
#include "lib/read.h"
#include "lib/socket.h"

struct ROW("a process, with the number of its sockets") sockets_by_process {
	struct counted_process process;
	u64 sockets DOC("descriptors of sockets, in all net namespaces");
	u64 tcp ABSENT(-1) DOC("those of TCP sockets");
	u64 udp ABSENT(-1) DOC("those of UDP sockets");
	u64 unix ABSENT(-1) DOC("those of unix sockets");
	u64 netlink ABSENT(-1) DOC("those of netlink sockets");
	u64 other ABSENT(-1) DOC("those of all other sockets");
	u64 listening ABSENT(-1) DOC("those of sockets, of any kind, that listen for connections");
};

PROCESS_GROUPS(struct sockets_by_process);

/* include/uapi/linux/in.h */
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

static __always_inline void count(struct sockets_by_process *row, struct sock *sk)
{
	u16 protocol = READ(sk, sk_protocol);

	row->sockets++;
	if (!HAS(common_of(sk), skc_state))
		UNSET(row->listening);
	else if (READ(common_of(sk), skc_state) == socket_state__LISTEN)
		row->listening++;

	/* Without the fields that tell them apart, no count by kind is known. */
	if (!HAS(common_of(sk), skc_family) || !HAS(sk, sk_protocol)) {
		UNSET(row->tcp);
		UNSET(row->udp);
		UNSET(row->other);
	}
	if (!HAS(common_of(sk), skc_family)) {
		UNSET(row->unix);
		UNSET(row->netlink);
		return;
	}
	switch (READ(common_of(sk), skc_family)) {
	case AF_UNIX:
		row->unix++;
		return;
	case AF_NETLINK:
		row->netlink++;
		return;
	case AF_INET:
	case AF_INET6:
		if (!HAS(sk, sk_protocol))
			return;
		if (protocol == IPPROTO_TCP) {
			row->tcp++;
			return;
		}
		if (protocol == IPPROTO_UDP) {
			row->udp++;
			return;
		}
	}
	if (HAS(sk, sk_protocol))
		row->other++;
}

SEC("iter/task_file")
int sum_sockets(struct bpf_iter__task_file *ctx)
{
	struct bpf_iter_meta *meta = ctx->meta;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sockets_by_process *row;
	struct sock *sk;

	if (!task || !file) {
		put_process(meta);
		return 0;
	}
	sk = socket_of(file);
	if (!sk)
		return 0;
	row = process_row(meta, task);
	if (row)
		count(row, sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/socket.h"
#include "lib/read.h"
#include "lib/row.h"
#include "lib/socket.h"

struct ROW("a UDP socket") udp {
	enum socket_state state ABSENT(-1) DOC("ESTAB if it is connected, otherwise UNCONN, as ss names it");
	struct ip_ends ends;
	u32 uid ABSENT(-1) DOC("user who created the socket");
	u64 inode KEY ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it open");
	bytes_t rqueue ABSENT(-1) DOC("memory of unread datagrams");
	bytes_t wqueue ABSENT(-1) DOC("memory of datagrams being sent");
	bytes_t rbuf ABSENT(-1) DOC("maximum memory for unread datagrams");
	bytes_t wbuf ABSENT(-1) DOC("maximum memory for datagrams being sent");
	u32 drops COUNTER ABSENT(-1) DOC("datagrams dropped on arrival");
	u32 refs ABSENT(-1) DOC("references held on the socket");
	u64 mark ABSENT(-1) DOC("mark of its packets");
	u32 interface ABSENT(0) DOC("index of the interface that it is bound to");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that created it");
};

SEC("iter/udp")
int dump_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *udp = ctx->udp_sk;
	struct seq_file *seq = begin_rows(ctx->meta, udp);
	struct sock_common *common;
	struct udp row = {};
	struct sock *sk;

	if (!udp)
		return 0;
	/* A UDP socket begins with its struct sock. */
	sk = (void *)udp;
	common = common_of(sk);

	row.state = socket_state(common);
	read_ip_ends(&row.ends, common);
	row.uid = ctx->uid;
	row.inode = inode_of(sk);
	/* Without memory that is read but not given back yet (udp_rqueue_get()). */
	if (HAS(sk, sk_backlog.rmem_alloc.counter) && HAS(udp, forward_deficit))
		row.rqueue = sk->sk_backlog.rmem_alloc.counter - udp->forward_deficit;
	else
		UNSET(row.rqueue);
	row.wqueue = sending_of(sk);
	SET(row.rbuf, sk, sk_rcvbuf);
	SET(row.wbuf, sk, sk_sndbuf);
	row.drops = drops_of(sk);
	row.refs = refs_of(common, bpf_udp_iter_state);
	SET(row.mark, sk, sk_mark);
	row.interface = FIELD(common, skc_bound_dev_if);
	row.cgroup = cgroup_of(sk);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

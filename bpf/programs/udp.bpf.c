// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "socket.h"

struct ROW("a UDP socket") udp {
	enum socket_state state ABSENT(-1) DOC("ESTAB if it is connected, UNCONN if not, as ss names it");
	inet_t local DOC("address of this end");
	u32 local_port ABSENT(-1) DOC("port of this end");
	inet_t remote DOC("address of the other end, if it is connected");
	u32 remote_port ABSENT(-1) DOC("port of the other end");
	u32 uid ABSENT(-1) DOC("user that made the socket");
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it");
	bytes_t rqueue ABSENT(-1) DOC("memory of datagrams not read yet");
	bytes_t wqueue ABSENT(-1) DOC("memory of datagrams being sent");
	bytes_t rbuf ABSENT(-1) DOC("most memory that unread datagrams may take");
	bytes_t wbuf ABSENT(-1) DOC("most memory that datagrams being sent may take");
	u32 drops ABSENT(-1) DOC("datagrams dropped on arrival");
	u32 refs ABSENT(-1) DOC("references held on the socket");
	u64 mark ABSENT(-1) DOC("mark of its packets");
	u32 interface ABSENT(0) DOC("index of the interface it is bound to");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that made it");
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
	local_address(row.local, common);
	SET(row.local_port, common, skc_num);
	remote_address(row.remote, common);
	SET_PORT(row.remote_port, common, skc_dport);
	row.uid = ctx->uid;
	row.inode = inode_of(sk);
	/* What is read but not given back yet does not count (udp_rqueue_get()). */
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

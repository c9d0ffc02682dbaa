// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/groups.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/tcp.h"
#include "lib/read.h"
#include "lib/socket.h"
#include "lib/tcp.h"

struct ROW("a connection state, with the totals of its TCP sockets") tcp_by_state {
	enum socket_state state KEY ABSENT(-1) DOC("state of the sockets, as ss names it");
	u64 sockets DOC("number of sockets");
	bytes_t rqueue ABSENT(-1) DOC("bytes not read yet; in listening sockets, connections not accepted");
	bytes_t wqueue ABSENT(-1) DOC("bytes not acknowledged yet; in listening sockets, their backlogs");
};

struct state_key {
	enum socket_state state;
};

GROUPS(struct state_key, struct tcp_by_state);

SEC("iter/tcp")
int sum_tcp(struct bpf_iter__tcp *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock_common *common = ctx->sk_common;
	struct tcp_timewait_sock *timewait;
	struct tcp_queues queues = {};
	struct tcp_by_state *row;
	struct state_key key;
	struct tcp_sock *tcp;

	if (!common)
		return 0;
	key.state = socket_state(common);
	tcp = bpf_skc_to_tcp_sock(common);
	timewait = bpf_skc_to_tcp_timewait_sock(common);
	if (tcp)
		queues = queues_of(tcp, key.state);
	else if (timewait)
		SET(key.state, (struct inet_timewait_sock *)timewait, tw_substate);

	row = group_row(seq, &key);
	if (!row)
		return 0;
	row->sockets++;
	/* One unknown value makes the sum unknown. */
	if (queues.receive == (u64)-1)
		UNSET(row->rqueue);
	else
		row->rqueue += queues.receive;
	if (queues.send == (u64)-1)
		UNSET(row->wqueue);
	else
		row->wqueue += queues.send;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

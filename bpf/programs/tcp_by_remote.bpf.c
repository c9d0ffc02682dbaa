// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/groups.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/tcp.h"
#include "lib/read.h"
#include "lib/socket.h"

struct ROW("the TCP sockets with the same address at the other end") tcp_by_remote {
	inet_t remote KEY DOC("address of the other end; none for sockets without one");
	u64 sockets DOC("number of sockets");
	u64 established ABSENT(-1) DOC("those in state ESTAB");
	bytes_t sent COUNTER ABSENT(-1) DOC("bytes of data sent, including retransmissions");
	bytes_t received COUNTER ABSENT(-1) DOC("bytes of data received");
	bytes_t retransmitted COUNTER ABSENT(-1) DOC("bytes of data retransmitted");
};

struct remote_key {
	inet_t remote;
};

GROUPS(struct remote_key, struct tcp_by_remote);

#define add_or_unset(column, tcp, field)                                                           \
	({                                                                                         \
		if (HAS(tcp, field))                                                               \
			(column) += (tcp)->field;                                                  \
		else                                                                               \
			UNSET(column);                                                             \
	})

/* Only full sockets that do not listen have these counts. */
static __always_inline void add_data(struct tcp_by_remote *row, struct tcp_sock *tcp)
{
	add_or_unset(row->sent, tcp, bytes_sent);
	add_or_unset(row->received, tcp, bytes_received);
	add_or_unset(row->retransmitted, tcp, bytes_retrans);
}

SEC("iter/tcp")
int sum_tcp(struct bpf_iter__tcp *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock_common *common = ctx->sk_common;
	struct remote_key key = {};
	struct tcp_by_remote *row;
	struct tcp_sock *tcp;
	enum socket_state state;

	if (!common)
		return 0;
	state = FIELD(common, skc_state);
	/* A socket that is not connected has no other end, rather than one at address 0. */
	if (FIELD(common, skc_dport))
		remote_address(key.remote, common);
	row = group_row(seq, &key);
	if (!row)
		return 0;

	row->sockets++;
	if (!HAS(common, skc_state))
		UNSET(row->established);
	else if (state == socket_state__ESTAB)
		row->established++;
	tcp = bpf_skc_to_tcp_sock(common);
	if (tcp && state != socket_state__LISTEN)
		add_data(row, tcp);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

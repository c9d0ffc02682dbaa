// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "groups.h"
#include "tcp.h"

struct ROW("the TCP sockets with one address at the other end") tcp_by_remote {
	inet_t remote DOC("address of the other end; none where there is no other end");
	u64 sockets DOC("number of sockets");
	u64 established ABSENT(-1) DOC("of those, of established connections");
	bytes_t sent ABSENT(-1) DOC("bytes of data sent, those sent again included");
	bytes_t received ABSENT(-1) DOC("bytes of data received");
	bytes_t retransmitted ABSENT(-1) DOC("bytes of data sent again");
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

/* What a listening socket carried was never set; the other kinds keep no count. */
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
	/* What is not connected has no other end, rather than one at address 0. */
	if (FIELD(common, skc_dport))
		remote_address(key.remote, common);
	row = bpf_map_lookup_elem(&groups, &key);
	if (!row) {
		struct tcp_by_remote first = {};

		__builtin_memcpy(first.remote, key.remote, sizeof(first.remote));
		row = add_group(seq, &key, &first);
		if (!row)
			return 0;
	}

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

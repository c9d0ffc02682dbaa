// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "groups.h"
#include "tcp.h"

struct ROW("the TCP sockets with one address at the other end") tcp_by_remote {
	inet_t remote DOC("address of the other end; none where there is no other end");
	u64 sockets DOC("number of sockets");
	u64 established DOC("of those, of established connections");
	bytes_t sent DOC("bytes of data sent, those sent again included");
	bytes_t received DOC("bytes of data received");
	bytes_t retransmitted DOC("bytes of data sent again");
};

struct remote_key {
	inet_t remote;
};

GROUPS(struct remote_key, struct tcp_by_remote);

/* What a listening socket carried was never set; the other kinds keep no count. */
static __always_inline void add_data(struct tcp_by_remote *row, struct tcp_sock *tcp)
{
	row->sent += tcp->bytes_sent;
	row->received += tcp->bytes_received;
	row->retransmitted += tcp->bytes_retrans;
}

SEC("iter/tcp")
int sum_tcp(struct bpf_iter__tcp *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock_common *common = ctx->sk_common;
	struct remote_key key = {};
	struct tcp_by_remote *row;
	struct tcp_sock *tcp;
	u8 state;

	if (!common)
		return 0;
	state = common->skc_state;
	/* What is not connected has no other end, rather than one at address 0. */
	if (common->skc_dport)
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
	if (state == socket_state__ESTAB)
		row->established++;
	tcp = bpf_skc_to_tcp_sock(common);
	if (tcp && state != socket_state__LISTEN)
		add_data(row, tcp);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

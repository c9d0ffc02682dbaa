/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the tables of TCP sockets share: their queues. */
#ifndef ITERFS_TCP_H
#define ITERFS_TCP_H

#include "socket.h"

/*
 * As ss shows them, in bytes; of a listening socket, in connections. All ones if
 * the kernel does not tell.
 */
struct tcp_queues {
	u64 receive, send;
};

static __always_inline struct tcp_queues queues_of(struct tcp_sock *tcp, enum socket_state state)
{
	struct sock *sk = (void *)tcp;
	struct tcp_queues queues = { -1, -1 };
	s32 unread;

	if (state == socket_state__LISTEN) {
		SET(queues.receive, sk, sk_ack_backlog);
		SET(queues.send, sk, sk_max_ack_backlog);
		return queues;
	}
	if (HAS(tcp, rcv_nxt) && HAS(tcp, copied_seq)) {
		/* The other end's FIN counts as a byte that is never read. */
		unread = tcp->rcv_nxt - tcp->copied_seq;
		queues.receive = unread > 0 ? unread : 0;
	}
	if (HAS(tcp, write_seq) && HAS(tcp, snd_una))
		queues.send = (u32)(tcp->write_seq - tcp->snd_una);
	return queues;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* TCP sockets: their queues. */
#ifndef ITERFS_TCP_H
#define ITERFS_TCP_H

#include "kernel/tcp.h"
#include "read.h"
#include "socket.h"

/*
 * The queues as ss shows them: in bytes, or in connections if the socket listens. All
 * ones if the kernel does not tell.
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
		/* The FIN of the other end counts as a byte, which is never read. */
		unread = tcp->rcv_nxt - tcp->copied_seq;
		queues.receive = unread > 0 ? unread : 0;
	}
	if (HAS(tcp, write_seq) && HAS(tcp, snd_una))
		queues.send = (u32)(tcp->write_seq - tcp->snd_una);
	return queues;
}

#endif

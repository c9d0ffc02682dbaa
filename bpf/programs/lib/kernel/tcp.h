/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* TCP: sockets, and the smaller structs for half-open and closed connections. */
#ifndef ITERFS_KERNEL_TCP_H
#define ITERFS_KERNEL_TCP_H

#include "socket.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct tcp_congestion_ops {
	char name[16];
};

struct inet_connection_sock {
	/* Before 6.19; since then, sock.tcp_retransmit_timer. */
	struct timer_list icsk_retransmit_timer;
	/* Since 6.19; before, sock.sk_timer. */
	struct timer_list icsk_keepalive_timer;
	u32 icsk_rto;
	const struct tcp_congestion_ops *icsk_ca_ops;
	u8 icsk_retransmits;
	u8 icsk_pending;
	u8 icsk_probes_out;
};

/* Before 6.17: when the retransmit timer expires was kept here. */
struct inet_connection_sock___own_timeout {
	unsigned long icsk_timeout;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 rcv_nxt, copied_seq, write_seq, snd_una;
	u32 srtt_us, mdev_us;
	u32 snd_cwnd, snd_ssthresh, mss_cache;
	u32 snd_wnd, rcv_wnd;
	u32 total_retrans;
	u64 bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	u32 segs_out, segs_in;
};

struct inet_timewait_sock {
	struct timer_list tw_timer;
	unsigned char tw_substate;
	u32 tw_mark;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct request_sock {
	u8 num_timeout : 7;
	struct timer_list rsk_timer;
	struct sock *rsk_listener;
};

struct inet_request_sock {
	struct request_sock req;
	u32 ir_mark;
};

struct tcp_request_sock {
	struct inet_request_sock req;
};

#pragma clang attribute pop

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/tcp.h"
#include "lib/read.h"
#include "lib/row.h"
#include "lib/socket.h"
#include "lib/tcp.h"

/* The purpose of the next timer (net/ipv4/tcp_ipv4.c, get_tcp4_sock()), by ss's names. */
enum tcp_timer {
	tcp_timer__off,
	tcp_timer__on,
	tcp_timer__keepalive,
	tcp_timer__timewait,
	tcp_timer__persist,
};

struct ROW("a TCP socket") tcp {
	enum socket_state state ABSENT(-1) DOC("state of the connection, as ss names it");
	struct ip_ends ends;
	u32 uid ABSENT(-1) DOC("user who created the socket");
	u64 inode KEY ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it open");
	bytes_t rqueue ABSENT(-1) DOC("bytes not read yet; in a listening socket, connections not accepted");
	bytes_t wqueue ABSENT(-1) DOC("bytes not acknowledged yet; in a listening socket, its backlog");
	enum tcp_timer timer ABSENT(-1) DOC("purpose of the next timer");
	nanoseconds_t expires ABSENT(-1) DOC("time until that timer expires");
	u32 retransmits ABSENT(-1) DOC("successive timeouts without an answer");
	u32 refs ABSENT(-1) DOC("references held on the socket");
	u64 mark ABSENT(-1) DOC("mark of its packets");
	u32 interface ABSENT(0) DOC("index of the interface that it is bound to");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that created it");
	nanoseconds_t srtt ABSENT(-1) DOC("smoothed round-trip time");
	nanoseconds_t rttvar ABSENT(-1) DOC("variation of the round-trip time");
	u32 cwnd ABSENT(-1) DOC("congestion window, in segments");
	u32 ssthresh ABSENT(-1) DOC("slow-start threshold, in segments; none while it is unlimited");
	u32 mss ABSENT(-1) DOC("bytes of data in a segment");
	bytes_t sent COUNTER ABSENT(-1) DOC("bytes of data sent, including retransmissions");
	bytes_t acked COUNTER ABSENT(-1) DOC("bytes of data acknowledged by the other end");
	bytes_t received COUNTER ABSENT(-1) DOC("bytes of data received");
	bytes_t retransmitted COUNTER ABSENT(-1) DOC("bytes of data retransmitted");
	u32 drops COUNTER ABSENT(-1) DOC("segments dropped on arrival");
	char congestion[16] DOC("congestion control algorithm");
};

#define UNKNOWN (-1)
/* include/net/tcp.h, TCP_INFINITE_SSTHRESH */
#define INFINITE_SSTHRESH 0x7fffffff

/* include/net/inet_connection_sock.h, ICSK_TIME_*; 4 was early retransmit. */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

#define NANOSECONDS 1000000000ULL

/*
 * The kernel's ticks per second; 0 if they cannot be told yet. A program cannot ask for
 * them, but the number of ticks since boot tells: it starts 300 seconds before 2^32
 * (include/linux/jiffies.h, INITIAL_JIFFIES).
 *
 * The function is global because the verifier checks a global function once, but a
 * static one at each call and in each state of its caller.
 */
__noinline u32 find_tick_rate(void)
{
	/* kernel/Kconfig.hz, and the rates of the architectures. */
	const u32 rates[] = { 24, 32, 48, 64, 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024, 1200 };
	u64 ticks = bpf_jiffies64(), microseconds = bpf_ktime_get_ns() / 1000;
	u64 best = -1;
	u32 found = 0;

	/* Around 300 seconds after boot all rates have about the same count. */
	if (microseconds > 280 * 1000000ULL && microseconds < 320 * 1000000ULL)
		return 0;
	for (u32 i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		u64 expected = (1ULL << 32) - 300 * rates[i] + microseconds * rates[i] / 1000000;
		u64 off = expected > ticks ? expected - ticks : ticks - expected;

		if (off < best) {
			best = off;
			found = rates[i];
		}
	}
	return found;
}

/* The same for all passes: the first one to find it stores it. */
static u32 tick_rate;

/* Nanoseconds until a tick, 0 if it has passed; all ones if that cannot be told. */
static __always_inline u64 time_until(unsigned long expires)
{
	s64 ticks = expires - bpf_jiffies64();
	u32 rate = tick_rate;

	if (!rate)
		tick_rate = rate = find_tick_rate();

	if (!rate)
		return UNKNOWN;
	return ticks > 0 ? ticks * (NANOSECONDS / rate) : 0;
}

/*
 * Since 6.19 the keepalive timer belongs to the connection and the retransmission timer
 * to the socket. Before, it was the other way round.
 */
static __always_inline void read_keepalive(struct tcp *row, struct inet_connection_sock *connection,
					   struct sock *sk)
{
	if (HAS(connection, icsk_keepalive_timer.entry.pprev)) {
		if (!connection->icsk_keepalive_timer.entry.pprev)
			return;
		if (HAS(connection, icsk_keepalive_timer.expires))
			row->expires = time_until(connection->icsk_keepalive_timer.expires);
	} else if (HAS(sk, sk_timer.entry.pprev) && !HAS(sk, tcp_retransmit_timer)) {
		if (!sk->sk_timer.entry.pprev)
			return;
		if (HAS(sk, sk_timer.expires))
			row->expires = time_until(sk->sk_timer.expires);
	} else {
		UNSET(row->timer);
		return;
	}
	row->timer = tcp_timer__keepalive;
}

static __always_inline void read_retransmission(struct tcp *row,
						struct inet_connection_sock *connection,
						struct sock *sk)
{
	struct inet_connection_sock___own_timeout *old = (void *)connection;

	if (HAS(old, icsk_timeout))
		row->expires = time_until(old->icsk_timeout);
	else if (HAS(connection, icsk_retransmit_timer.expires))
		row->expires = time_until(connection->icsk_retransmit_timer.expires);
	else if (HAS(sk, tcp_retransmit_timer.expires))
		row->expires = time_until(sk->tcp_retransmit_timer.expires);
}

static __always_inline void read_timer(struct tcp *row, struct tcp_sock *tcp)
{
	struct inet_connection_sock *connection = (void *)tcp;
	struct sock *sk = (void *)tcp;

	if (!HAS(connection, icsk_pending)) {
		UNSET(row->timer);
		return;
	}
	switch (connection->icsk_pending) {
	case ICSK_TIME_RETRANS:
	case ICSK_TIME_LOSS_PROBE:
	case ICSK_TIME_REO_TIMEOUT:
		row->timer = tcp_timer__on;
		break;
	case ICSK_TIME_PROBE0:
		row->timer = tcp_timer__persist;
		break;
	default:
		read_keepalive(row, connection, sk);
		return;
	}
	read_retransmission(row, connection, sk);
}

static __always_inline void read_connection(struct tcp *row, struct tcp_sock *tcp)
{
	/* A tcp_sock begins with the connection, and that with the socket. */
	struct inet_connection_sock *connection = (void *)tcp;
	struct sock *sk = (void *)tcp;
	struct tcp_queues queues;
	u64 srtt;

	row->inode = inode_of(sk);
	row->cgroup = cgroup_of(sk);
	SET(row->mark, sk, sk_mark);
	row->drops = drops_of(sk);
	queues = queues_of(tcp, row->state);
	row->rqueue = queues.receive;
	row->wqueue = queues.send;
	read_timer(row, tcp);
	SET(row->retransmits, connection, icsk_retransmits);
	SET(row->cwnd, tcp, snd_cwnd);
	SET(row->ssthresh, tcp, snd_ssthresh);
	if (row->ssthresh >= INFINITE_SSTHRESH)
		row->ssthresh = UNKNOWN;
	COPY_NAME(row->congestion, connection, icsk_ca_ops, name);
	/* A listening socket carries no data, so the remaining fields were never set. */
	if (row->state == socket_state__LISTEN)
		return;
	/* In eighths and fourths of a microsecond (include/linux/tcp.h); 0: not measured yet. */
	srtt = FIELD(tcp, srtt_us);
	if (srtt) {
		row->srtt = srtt * 1000 / 8;
		if (HAS(tcp, mdev_us))
			row->rttvar = tcp->mdev_us * 1000ULL / 4;
	}
	SET(row->mss, tcp, mss_cache);
	SET(row->sent, tcp, bytes_sent);
	SET(row->acked, tcp, bytes_acked);
	SET(row->received, tcp, bytes_received);
	SET(row->retransmitted, tcp, bytes_retrans);
}

static __always_inline void read_timewait(struct tcp *row, struct tcp_timewait_sock *timewait)
{
	struct inet_timewait_sock *front = (void *)timewait;

	SET(row->state, front, tw_substate);
	row->timer = tcp_timer__timewait;
	if (HAS(front, tw_timer.expires))
		row->expires = time_until(front->tw_timer.expires);
	row->mark = FIELD(front, tw_mark);
}

static __always_inline void read_request(struct tcp *row, struct tcp_request_sock *request)
{
	struct inet_request_sock *front = (void *)request;
	struct request_sock *half = (void *)request;

	row->timer = tcp_timer__on;
	if (HAS(half, rsk_timer.expires))
		row->expires = time_until(half->rsk_timer.expires);
	/* Timeouts, as in /proc/net/tcp: a deferred connection is not sent another SYN-ACK. */
	if (HAS(half, num_timeout))
		row->retransmits = BPF_CORE_READ_BITFIELD_PROBED(half, num_timeout);
	else
		UNSET(row->retransmits);
	SET(row->mark, front, ir_mark);
}

SEC("iter/tcp")
int dump_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct seq_file *seq = begin_rows(ctx->meta, common);
	struct tcp_timewait_sock *timewait;
	struct question *question = current_question();
	struct tcp_request_sock *request;
	struct tcp_sock *tcp;
	struct tcp row = {};

	if (!common)
		return 0;

	row.state = socket_state(common);
	read_ip_ends(&row.ends, common);
	row.uid = ctx->uid;
	if (asking && !keeps_before(question, &row, inode))
		return 0;
	row.refs = refs_of(common, bpf_tcp_iter_state);
	row.interface = FIELD(common, skc_bound_dev_if);

	row.expires = row.srtt = row.rttvar = UNKNOWN;
	row.cwnd = row.ssthresh = row.mss = row.drops = UNKNOWN;
	row.sent = row.acked = row.received = row.retransmitted = UNKNOWN;

	/* One of three structs that share their front; the helpers tell which. */
	if ((tcp = bpf_skc_to_tcp_sock(common)))
		read_connection(&row, tcp);
	else if ((timewait = bpf_skc_to_tcp_timewait_sock(common)))
		read_timewait(&row, timewait);
	else if ((request = bpf_skc_to_tcp_request_sock(common)))
		read_request(&row, request);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

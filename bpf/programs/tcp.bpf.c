// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "tcp.h"

/* net/ipv4/tcp_ipv4.c, get_tcp4_sock(): what the next timer is for, as ss prints. */
enum tcp_timer {
	tcp_timer__off,
	tcp_timer__on,
	tcp_timer__keepalive,
	tcp_timer__timewait,
	tcp_timer__persist,
};

struct ROW("a TCP socket") tcp {
	enum socket_state state DOC("state of the connection, as ss names it");
	inet_t local DOC("address of this end");
	u16 local_port DOC("port of this end");
	inet_t remote DOC("address of the other end");
	u16 remote_port DOC("port of the other end");
	u32 uid DOC("user that made the socket");
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it");
	bytes_t rqueue DOC("bytes not read yet; of a listening socket, connections not accepted");
	bytes_t wqueue DOC("bytes not acknowledged yet; of a listening socket, its backlog");
	enum tcp_timer timer DOC("what the next timer is for");
	nanoseconds_t expires ABSENT(-1) DOC("time until it fires");
	u32 retransmits DOC("timeouts in a row without an answer");
	u32 refs DOC("references held on the socket");
	u32 mark DOC("mark of its packets");
	u32 interface ABSENT(0) DOC("index of the interface it is bound to");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that made it");
	nanoseconds_t srtt ABSENT(-1) DOC("smoothed round trip time");
	nanoseconds_t rttvar ABSENT(-1) DOC("variation of the round trip time");
	u32 cwnd ABSENT(-1) DOC("congestion window, in segments");
	u32 ssthresh ABSENT(-1) DOC("slow start threshold, in segments; none while it is unlimited");
	u32 mss ABSENT(-1) DOC("bytes of data in a segment");
	bytes_t sent ABSENT(-1) DOC("bytes of data sent, those sent again included");
	bytes_t acked ABSENT(-1) DOC("bytes of data that the other end acknowledged");
	bytes_t received ABSENT(-1) DOC("bytes of data received");
	bytes_t retransmitted ABSENT(-1) DOC("bytes of data sent again");
	u32 drops ABSENT(-1) DOC("segments dropped on arrival");
	char congestion[16] DOC("name of the congestion control");
};

#define UNKNOWN (-1)
/* include/net/tcp.h, TCP_INFINITE_SSTHRESH */
#define INFINITE_SSTHRESH 0x7fffffff

/* include/net/inet_connection_sock.h, ICSK_TIME_*; 4 was the early retransmit. */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

#define NANOSECONDS 1000000000ULL

/*
 * Ticks a second. No program can ask for it, but the ticks since boot tell:
 * they began 300 seconds short of 2^32 (include/linux/jiffies.h).
 */
static __noinline u32 find_tick_rate(void)
{
	const u32 rates[] = { 100, 250, 300, 1000 };
	u64 ticks = bpf_jiffies64(), microseconds = bpf_ktime_get_ns() / 1000;
	u64 best = -1;
	u32 found = 0;

	for (int i = 0; i < 4; i++) {
		u64 expected = (1ULL << 32) - 300 * rates[i] + microseconds * rates[i] / 1000000;
		u64 off = expected > ticks ? expected - ticks : ticks - expected;

		if (off < best) {
			best = off;
			found = rates[i];
		}
	}
	return found;
}

/* Of the kernel, not of a pass: whoever finds it first keeps it for all. */
static u32 tick_rate;

static __always_inline u64 time_until(unsigned long expires)
{
	s64 ticks = expires - bpf_jiffies64();
	u32 rate = tick_rate;

	if (!rate)
		tick_rate = rate = find_tick_rate();

	return ticks > 0 && rate ? ticks * (NANOSECONDS / rate) : 0;
}

static __always_inline void read_timer(struct tcp *row, struct tcp_sock *tcp)
{
	struct inet_connection_sock *connection = &tcp->inet_conn;
	struct inet_connection_sock___own_timeout *old = (void *)connection;
	struct sock *sk = (void *)tcp;
	unsigned long expires;

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
		if (!sk->sk_timer.entry.pprev)
			return;
		row->timer = tcp_timer__keepalive;
		row->expires = time_until(sk->sk_timer.expires);
		return;
	}
	if (bpf_core_field_exists(old->icsk_timeout))
		expires = old->icsk_timeout;
	else
		expires = connection->icsk_retransmit_timer.expires;
	row->expires = time_until(expires);
}

static __always_inline void read_connection(struct tcp *row, struct tcp_sock *tcp)
{
	struct inet_connection_sock *connection = &tcp->inet_conn;
	struct sock *sk = (void *)tcp;
	struct tcp_queues queues;
	u64 srtt;

	row->inode = inode_of(sk);
	row->cgroup = cgroup_of(sk);
	row->mark = sk->sk_mark;
	row->drops = drops_of(sk);
	queues = queues_of(tcp, row->state);
	row->rqueue = queues.receive;
	row->wqueue = queues.send;
	read_timer(row, tcp);
	row->retransmits = connection->icsk_retransmits;
	row->cwnd = tcp->snd_cwnd;
	row->ssthresh = tcp->snd_ssthresh;
	if (row->ssthresh >= INFINITE_SSTHRESH)
		row->ssthresh = UNKNOWN;
	copy_name(row->congestion, connection->icsk_ca_ops->name);
	/* A listening socket carries no data: what is left was never set. */
	if (row->state == socket_state__LISTEN)
		return;
	/* Kept in eighths and fourths of a microsecond (include/linux/tcp.h); 0: not measured. */
	srtt = tcp->srtt_us;
	if (srtt) {
		row->srtt = srtt * 1000 / 8;
		row->rttvar = tcp->mdev_us * 1000ULL / 4;
	}
	row->mss = tcp->mss_cache;
	row->sent = tcp->bytes_sent;
	row->acked = tcp->bytes_acked;
	row->received = tcp->bytes_received;
	row->retransmitted = tcp->bytes_retrans;
}

static __always_inline void read_timewait(struct tcp *row, struct tcp_timewait_sock *timewait)
{
	row->state = timewait->tw_sk.tw_substate;
	row->timer = tcp_timer__timewait;
	row->expires = time_until(timewait->tw_sk.tw_timer.expires);
	if (bpf_core_field_exists(timewait->tw_sk.tw_mark))
		row->mark = timewait->tw_sk.tw_mark;
}

static __always_inline void read_request(struct tcp *row, struct tcp_request_sock *request)
{
	struct request_sock *half = &request->req.req;

	row->timer = tcp_timer__on;
	row->expires = time_until(half->rsk_timer.expires);
	/* Timeouts, as /proc/net/tcp has it: a deferred connection is not asked again. */
	row->retransmits = BPF_CORE_READ_BITFIELD_PROBED(half, num_timeout);
	row->mark = request->req.ir_mark;
}

SEC("iter/tcp")
int dump_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct seq_file *seq = begin_rows(ctx->meta, common);
	struct tcp_timewait_sock *timewait;
	struct tcp_request_sock *request;
	struct tcp_sock *tcp;
	struct tcp row = {};

	if (!common)
		return 0;

	row.state = state_of(common->skc_state);
	local_address(row.local, common);
	row.local_port = common->skc_num;
	remote_address(row.remote, common);
	row.remote_port = host_order(common->skc_dport);
	row.uid = ctx->uid;
	row.refs = refs_of(common, bpf_tcp_iter_state);
	row.interface = common->skc_bound_dev_if;

	row.expires = row.srtt = row.rttvar = UNKNOWN;
	row.cwnd = row.ssthresh = row.mss = row.drops = UNKNOWN;
	row.sent = row.acked = row.received = row.retransmitted = UNKNOWN;

	/* Three kinds of struct, which share their front; the helpers tell them apart. */
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

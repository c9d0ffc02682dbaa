// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/socket.h"
#include "lib/loop.h"
#include "lib/read.h"
#include "lib/row.h"
#include "lib/socket.h"
#include "lib/unix.h"

struct ROW("a unix socket") unix_row {
	enum socket_type type ABSENT(-1) DOC("stream, dgram or seqpacket");
	enum socket_state state ABSENT(-1) DOC("state of the socket, as ss names it");
	u32 uid ABSENT(-1) DOC("user who created the socket");
	u64 inode KEY ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it open");
	u64 peer ABSENT(0) DOC("inode number of the peer socket");
	bytes_t rqueue ABSENT(-1) DOC("bytes not read yet; in a listening socket, connections not accepted");
	bytes_t wqueue ABSENT(-1) DOC("memory of data that the other end has not read; in a listening socket, its backlog");
	u32 refs ABSENT(-1) DOC("references held on the socket");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that created it");
	tail_length_t path_length;
	char path[] DOC("name that it is bound to; an abstract name begins with @");
};

#define UNKNOWN (-1)

/* Whether the kernel has the fields by which a queue of messages is added up. */
#define HAS_MESSAGES(sk, message)                                                                  \
	(HAS(sk, sk_receive_queue.next) && HAS(message, next) && HAS(message, len) &&              \
	 HAS(message, cb) && bpf_core_field_exists(struct unix_skb_parms, consumed))

/* A walk along a queue. */
struct queue_walk {
	struct sk_buff *message, *head;
	u32 type;
	u64 bytes;
};

/* Adds a message; true after the last. */
static __noinline bool next_message(struct queue_walk *walk)
{
	struct sk_buff *message;
	struct unix_skb_parms *parms;

	if (!walk)
		return true;
	message = walk->message;
	if (message == walk->head || !message)
		return true;
	walk->bytes += READ(message, len);
	/* Only the first datagram can be read at once. */
	if (walk->type == SOCK_DGRAM)
		return true;
	parms = ADDRESS(message, cb);
	walk->bytes -= READ(parms, consumed);
	walk->message = READ(message, next);
	return false;
}

/* Unread bytes as SIOCINQ counts them; UNKNOWN if there are too many messages to add up. */
static __always_inline u64 unread(struct unix_sock *unix, u32 type)
{
	struct sock *sk = (struct sock *)unix;
	struct queue_walk walk = {
		.message = READ(sk, sk_receive_queue.next),
		.head = ADDRESS(sk, sk_receive_queue),
		.type = type,
	};

	/* Since 6.18 a stream socket counts them itself. */
	if (HAS(unix, inq_len) && type == SOCK_STREAM)
		return READ(unix, inq_len);
	if (!HAS_MESSAGES(sk, walk.message) || !HAS(sk, sk_type))
		return UNKNOWN;
	return repeat(1 << 20, 64, next_message(&walk)) ? walk.bytes : UNKNOWN;
}

SEC("iter/unix")
int dump_unix(struct bpf_iter__unix *ctx)
{
	struct unix_sock *unix = ctx->unix_sk;
	struct seq_file *seq = begin_rows(ctx->meta, unix);
	struct question *question = current_question();
	struct unix_row row = {};
	struct unix_name name;
	struct sock *peer, *sk;

	if (!unix)
		return 0;
	/* A unix socket begins with its struct sock. */
	sk = (void *)unix;

	SET(row.type, sk, sk_type);
	row.state = socket_state(common_of(sk));
	row.uid = ctx->uid;
	row.inode = inode_of(sk);
	peer = FIELD(unix, peer);
	if (peer)
		row.peer = inode_of(peer);
	if (row.state == socket_state__LISTEN) {
		SET(row.rqueue, sk, sk_receive_queue.qlen);
		SET(row.wqueue, sk, sk_max_ack_backlog);
	} else if (row.state == UNKNOWN_SOCKET_STATE) {
		row.rqueue = row.wqueue = UNKNOWN;
	} else {
		if (WANTS(question, &row, rqueue))
			row.rqueue = unread(unix, row.type);
		row.wqueue = sending_of(sk);
	}
	row.refs = refs_of(common_of(sk), bpf_unix_iter_state);
	row.cgroup = cgroup_of(sk);
	row.path_length = read_unix_name(&name, unix);

	write_row_with_tail(seq, &row, path, name.path, row.path_length & (sizeof(name.path) - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

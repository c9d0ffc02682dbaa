// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "socket.h"
#include "unix.h"

struct ROW("a unix socket") unix_row {
	enum socket_type type DOC("stream, dgram or seqpacket");
	enum socket_state state DOC("state of the socket, as ss names it");
	u32 uid DOC("user that made the socket");
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it");
	u64 peer ABSENT(0) DOC("inode number of the socket at the other end");
	bytes_t rqueue ABSENT(-1) DOC("bytes not read yet; of a listening socket, connections not accepted");
	bytes_t wqueue DOC("memory of what the other end has not read; of a listening socket, its backlog");
	u32 refs DOC("references held on the socket");
	u64 cgroup ABSENT(0) DOC("id of the cgroup that made it");
	tail_length_t path_length;
	char path[] DOC("name it is bound to; an abstract name begins with @");
};

#define UNKNOWN (-1)
#define MAX_MESSAGES 256

/* Bytes in a queue as SIOCINQ has them; UNKNOWN if there are too many messages to add up. */
static __noinline u64 unread(struct sock *sk, u32 type)
{
	struct sk_buff *message = BPF_CORE_READ(sk, sk_receive_queue.next);
	struct sk_buff *head = (void *)sk + bpf_core_field_offset(sk->sk_receive_queue);
	u64 bytes = 0;

	for (int i = 0; i < MAX_MESSAGES; i++) {
		struct unix_skb_parms *parms = (void *)message + bpf_core_field_offset(message->cb);

		if (message == head || !message)
			return bytes;
		bytes += BPF_CORE_READ(message, len);
		if (type == SOCK_DGRAM)
			return bytes;
		bytes -= BPF_CORE_READ(parms, consumed);
		message = BPF_CORE_READ(message, next);
	}
	return UNKNOWN;
}

SEC("iter/unix")
int dump_unix(struct bpf_iter__unix *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct unix_sock *unix = ctx->unix_sk;
	struct unix_row row = {};
	struct unix_name name;
	struct sock *peer, *sk;

	if (!unix)
		return 0;
	sk = &unix->sk;

	row.type = sk->sk_type;
	row.state = state_of(sk->__sk_common.skc_state);
	row.uid = ctx->uid;
	row.inode = inode_of(sk);
	peer = unix->peer;
	if (peer)
		row.peer = inode_of(peer);
	if (row.state == socket_state__LISTEN) {
		row.rqueue = sk->sk_receive_queue.qlen;
		row.wqueue = sk->sk_max_ack_backlog;
	} else {
		row.rqueue = unread(sk, row.type);
		row.wqueue = sending_of(sk);
	}
	row.refs = sk->__sk_common.skc_refcnt.refs.counter;
	row.cgroup = cgroup_of(sk);
	row.path_length = read_unix_name(&name, unix);

	write_row(seq, &row, __builtin_offsetof(struct unix_row, path));
	if (row.path_length)
		bpf_seq_write(seq, name.path, row.path_length & (sizeof(name.path) - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "map_bytes.h"
#include "socket.h"

struct ROW("a socket in the map") entry {
	map_key_t key DOC("its key");
	struct mapped_socket socket;
};

SEC("iter/sockmap")
int dump_sockmap(struct bpf_iter__sockmap *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock *sk = ctx->sk;
	const void *key = ctx->key;
	struct reader *reader = current_reader();
	struct entry row = {};

	/* A place of the map may be empty. */
	if (!key || !sk || !reader)
		return 0;
	read_mapped_socket(&row.socket, sk);
	write_row(seq, &row, sizeof(row));
	write_bytes(seq, reader, key, reader->key_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

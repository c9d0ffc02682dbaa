// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/mapped_socket.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("a socket in the map") entry {
	map_key_t key KEY DOC("key of the socket");
	struct mapped_socket socket;
};

SEC("iter/sockmap")
int dump_sockmap(struct bpf_iter__sockmap *ctx)
{
	struct sock *sk = ctx->sk;
	const void *key = ctx->key;
	struct seq_file *seq = begin_rows(ctx->meta, sk);
	struct reader *reader = current_reader();
	struct bpf_map *map = ctx->map;
	struct entry row = {};

	/* A slot of a sockmap may be empty. */
	if (!key || !sk)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	write_mapped_socket(seq, reader, &row, sk, map, key, key_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
	struct sock *sk = ctx->sk;
	const void *key = ctx->key;
	struct seq_file *seq = begin_rows(ctx->meta, sk);
	struct reader *reader = current_reader();
	struct bpf_map *map = ctx->map;
	struct entry row = {};

	/* A place of the map may be empty. */
	if (!key || !sk)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	read_mapped_socket(&row.socket, sk);
	if (text_mode) {
		__builtin_memcpy(reader->record, &row, sizeof(row));
		put_bytes(reader, sizeof(row), key, FIELD(map, key_size));
		write_row(seq, (struct entry *)reader->record, 0);
		return 0;
	}
	write_row(seq, &row, sizeof(row));
	write_bytes(seq, reader, key, reader->key_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "map_bytes.h"
#include "socket.h"

struct ROW("a socket with storage in the map") storage {
	struct mapped_socket socket;
	map_value_t value DOC("what is stored");
};

SEC("iter/bpf_sk_storage_map")
int dump_sk_storage(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	const void *value = ctx->value;
	struct seq_file *seq = begin_rows(ctx->meta, sk);
	struct reader *reader = current_reader();
	struct bpf_map *map = ctx->map;
	struct storage row = {};

	if (!sk || !value)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	read_mapped_socket(&row.socket, sk);
	if (text_mode) {
		__builtin_memcpy(reader->record, &row, sizeof(row));
		put_bytes(reader, sizeof(row), value, FIELD(map, value_size));
		write_row(seq, (struct storage *)reader->record, 0);
		return 0;
	}
	write_row(seq, &row, sizeof(row));
	write_bytes(seq, reader, value, reader->value_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

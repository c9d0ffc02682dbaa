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
	struct seq_file *seq = ctx->meta->seq;
	struct sock *sk = ctx->sk;
	const void *value = ctx->value;
	struct reader *reader = current_reader();
	struct storage row = {};

	if (!sk || !value || !reader)
		return 0;
	read_mapped_socket(&row.socket, sk);
	write_row(seq, &row, sizeof(row));
	write_bytes(seq, reader, value, reader->value_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

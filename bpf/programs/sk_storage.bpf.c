// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/mapped_socket.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("a socket with storage in the map") storage {
	struct mapped_socket socket;
	map_value_t value DOC("value stored for the socket");
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
	write_mapped_socket(seq, reader, &row, sk, map, value, value_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

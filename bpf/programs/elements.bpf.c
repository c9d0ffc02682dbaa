// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/map_bytes.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("an element of the map") element {
	map_key_t key KEY DOC("key of the element");
	map_value_t value DOC("value of the element; in a per-cpu map, the value of each processor");
};

SEC("iter/bpf_map_elem")
int dump_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	const void *key = ctx->key, *value = ctx->value;
	struct seq_file *seq = begin_rows(ctx->meta, key);
	struct bpf_map *map = ctx->map;
	struct reader *reader = current_reader();
	u32 key_size, value_size;

	if (!key || !value)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	if (text_mode) {
		put_bytes(reader, 0, key, FIELD(map, key_size));
		put_bytes(reader, FIELD(map, key_size), value, FIELD(map, value_size));
		write_row(seq, (struct element *)reader->record, 0);
		return 0;
	}
	key_size = reader->key_size;
	value_size = reader->value_size;
	if (key_size > CHUNK || value_size > CHUNK) {
		write_bytes(seq, reader, key, key_size);
		write_bytes(seq, reader, value, value_size);
		return 0;
	}
	/* Most elements are short, and one write is enough. */
	bpf_probe_read_kernel(reader->record, key_size, key);
	bpf_probe_read_kernel(reader->record + key_size, value_size, value);
	write_row(seq, (struct element *)reader->record, key_size + value_size);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

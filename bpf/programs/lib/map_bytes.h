/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Keys and values of BPF maps, whose sizes only the map knows. */
#ifndef ITERFS_MAP_BYTES_H
#define ITERFS_MAP_BYTES_H

#include "reader.h"

/* Bytes copied at once: half of the record, so that a key and a value fit side by side. */
#define CHUNK PATH_MAX
/*
 * The daemon reads elements longer than 32 KiB without this program, and the storage of a
 * socket is at most 64 KiB (include/linux/bpf_local_storage.h,
 * BPF_LOCAL_STORAGE_MAX_VALUE_SIZE).
 */
#define CHUNKS 16

/*
 * Writes a key or value as the next bytes of the row. A helper copies it: what a program
 * reads directly must lie within the map that it is attached to (bpf_iter_attach_map()),
 * and one program serves all maps.
 */
static __always_inline void write_bytes(struct seq_file *seq, struct reader *reader,
					const void *from, u32 size)
{
	for (u32 i = 0; i < CHUNKS; i++) {
		u32 part = size < CHUNK ? size : CHUNK;

		if (!part)
			break;
		barrier_var(part);
		part &= 2 * CHUNK - 1;
		if (part > CHUNK)
			break;
		bpf_probe_read_kernel(reader->record, part, from + i * CHUNK);
		bpf_seq_write(seq, reader->record, part);
		size -= part;
	}
}

/*
 * In text mode the row is printed from the reader's record. This puts a key or value
 * there, after the first `before` bytes. The loader refuses maps with longer ones.
 */
static __always_inline void put_bytes(struct reader *reader, u32 before, const void *from, u32 size)
{
	barrier_var(before);
	barrier_var(size);
	before &= 2 * CHUNK - 1;
	size &= 2 * CHUNK - 1;
	if (before <= CHUNK && size <= CHUNK)
		bpf_probe_read_kernel(reader->record + before, size, from);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The keys and values of maps, whose sizes only the map knows. */
#ifndef ITERFS_MAP_BYTES_H
#define ITERFS_MAP_BYTES_H

#include "reader.h"

/* What is copied at once: half of the room, that a key and a value fit side by side. */
#define CHUNK PATH_MAX
/*
 * Elements longer than 32 KiB do not come this way, and no storage is longer than
 * 64 KiB (include/linux/bpf_local_storage.h, BPF_LOCAL_STORAGE_MAX_VALUE_SIZE).
 */
#define CHUNKS 16

/*
 * Writes a key or value as the next bytes of the row. Copied by a helper: what a
 * program reads itself must lie within the map at hand (bpf_iter_attach_map()),
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
 * In text mode the row is printed from the reader's record: puts bytes there,
 * behind so many that are there already. Longer ones the loader refuses.
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

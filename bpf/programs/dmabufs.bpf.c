// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/dma_buf.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/read.h"
#include "lib/row.h"

struct ROW("a DMA buffer") dmabuf {
	u64 inode KEY ABSENT(-1) DOC("inode number, as in /proc/<pid>/fdinfo");
	bytes_t size ABSENT(-1) DOC("size of the buffer");
	char exporter[32] DOC("driver that exported it");
	char name[32] DOC("name that its user gave it");
};

SEC("iter/dmabuf")
int dump_dmabufs(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *buffer = ctx->dmabuf;
	struct seq_file *seq = begin_rows(ctx->meta, buffer);
	struct dmabuf row = {};

	if (!buffer)
		return 0;

	SET(row.inode, buffer, file, f_inode, i_ino);
	SET(row.size, buffer, size);
	bpf_probe_read_kernel_str(row.exporter, sizeof(row.exporter), FIELD(buffer, exp_name));
	/* A buffer without a name has NULL here, which reads as an empty string. */
	bpf_probe_read_kernel_str(row.name, sizeof(row.name), FIELD(buffer, name));

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

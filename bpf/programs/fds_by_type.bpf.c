// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "file.h"
#include "groups.h"
#include "reader.h"

struct ROW("the open files of a type") fds_by_type {
	enum file_type type DOC("type of file, as lsof names it");
	u64 fds DOC("open file descriptors");
	u64 deleted DOC("of those, of files that have no name left");
	bytes_t deleted_size DOC("sizes of these if they are regular files; of two descriptors, twice");
};

struct type_key {
	enum file_type type;
};

GROUPS(struct type_key, struct fds_by_type);

SEC("iter/task_file")
int sum_fds(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct reader *reader = current_reader();
	struct fds_by_type *row;
	struct type_key key;
	struct inode *inode;

	if (!task || !file || !reader)
		return 0;
	if (!visible_process(reader, task))
		return 0;
	inode = file->f_inode;
	key.type = type_of(file, inode);
	row = bpf_map_lookup_elem(&groups, &key);
	if (!row) {
		struct fds_by_type first = {};

		first.type = key.type;
		row = add_group(seq, &key, &first);
		if (!row)
			return 0;
	}

	row->fds++;
	if (!inode->i_nlink) {
		row->deleted++;
		if (key.type == file_type__REG)
			row->deleted_size += inode->i_size;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

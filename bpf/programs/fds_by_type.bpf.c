// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "file.h"
#include "process_group.h"

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

/* The process that the walk is at; without a pid if the reader is not to see it. */
static struct process_walk walk;
static u32 pid;

SEC("iter/task_file")
int sum_fds(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct fds_by_type *row;
	struct type_key key;
	struct inode *inode;

	if (!task || !file)
		return 0;
	if (!is_at(walk, ctx->meta, task)) {
		move_on(walk, ctx->meta, task);
		pid = pid_for_reader(task);
	}
	if (!pid)
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

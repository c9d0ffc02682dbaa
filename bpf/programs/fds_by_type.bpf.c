// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/file.h"
#include "lib/groups.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/process_group.h"
#include "lib/read.h"

struct ROW("a file type, with the number of its open files") fds_by_type {
	enum file_type type KEY ABSENT(-1) DOC("type of file, as lsof names it");
	u64 fds DOC("open file descriptors");
	u64 deleted ABSENT(-1) DOC("those of files that have no name left");
	bytes_t deleted_size ABSENT(-1) DOC("total size of those that are regular files, once per descriptor");
};

struct type_key {
	enum file_type type;
};

GROUPS(struct type_key, struct fds_by_type);

/* The current process; its pid is 0 if the reader must not see it. */
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

	if (!task || !file)
		return 0;
	if (!is_at(walk, ctx->meta, task)) {
		move_to(walk, ctx->meta, task);
		pid = pid_for_reader(task);
	}
	if (!pid)
		return 0;
	key.type = type_of(file);
	row = group_row(seq, &key);
	if (!row)
		return 0;

	row->fds++;
	if (!HAS(file, f_inode, i_nlink) || !HAS(file, f_inode, i_size))
		UNSET(row->deleted_size);
	if (!HAS(file, f_inode, i_nlink)) {
		UNSET(row->deleted);
	} else if (!file->f_inode->i_nlink) {
		row->deleted++;
		if (key.type == file_type__REG && HAS(file, f_inode, i_size))
			row->deleted_size += file->f_inode->i_size;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

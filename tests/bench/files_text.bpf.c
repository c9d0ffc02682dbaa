/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The columns of `files` as text that the kernel formats, as from a pinned iterator. A
 * call takes at most twelve values, so a row takes two calls. Enums are printed as
 * numbers and nothing is escaped, which is less work than iterfs does.
 */
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/task.h"

#define PATH_MAX 4096

struct {
	__uint(type, 6);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, char[PATH_MAX]);
} paths SEC(".maps");

SEC("iter/task_file")
int files_text(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct inode *inode;
	u32 zero = 0;
	char *path;

	if (!task || !file)
		return 0;
	path = bpf_map_lookup_elem(&paths, &zero);
	if (!path)
		return 0;
	if (bpf_d_path(&file->f_path, path, PATH_MAX) < 0)
		path[0] = 0;
	inode = file->f_inode;
	BPF_SEQ_PRINTF(seq, "%7u %7u %7u %7u %5u %1u %8x %12lld ",
		       task->group_leader->thread_pid->numbers[0].nr,
		       task->thread_pid->numbers[0].nr, task->cred->euid.val, ctx->fd,
		       inode->i_mode >> 12, file->f_mode & 3, file->f_flags, file->f_pos);
	BPF_SEQ_PRINTF(seq, "%3u:%u %7u %12lu %7u %12lld %-15s %s\n", inode->i_sb->s_dev >> 20,
		       inode->i_sb->s_dev & 0xfffff, inode->i_rdev, inode->i_ino, inode->i_nlink,
		       inode->i_size, task->comm, path);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/file.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/process_group.h"
#include "lib/read.h"

struct ROW("a process, with the number of its open files") fds_by_process {
	struct counted_process process;
	u64 fds DOC("open file descriptors, including those of threads with a table of their own");
	u64 regular ABSENT(-1) DOC("those of regular files");
	u64 directories ABSENT(-1) DOC("those of directories");
	u64 sockets ABSENT(-1) DOC("those of sockets");
	u64 pipes ABSENT(-1) DOC("those of pipes and FIFOs");
	u64 devices ABSENT(-1) DOC("those of character and block devices");
	u64 anonymous ABSENT(-1) DOC("those of anonymous inodes, such as eventfds");
	u64 deleted ABSENT(-1) DOC("those of files that have no name left");
};

PROCESS_GROUPS(struct fds_by_process);

static __always_inline void count(struct fds_by_process *row, struct file *file)
{
	row->fds++;
	if (!HAS(file, f_inode, i_nlink))
		UNSET(row->deleted);
	else if (!file->f_inode->i_nlink)
		row->deleted++;

	/* Without the fields that tell them apart, no count by type is known. */
	if (!HAS(file, f_inode, i_mode) || !HAS(file, f_inode, i_sb, s_magic)) {
		UNSET(row->regular);
		UNSET(row->directories);
		UNSET(row->sockets);
		UNSET(row->pipes);
		UNSET(row->devices);
		UNSET(row->anonymous);
		return;
	}
	switch (type_of(file)) {
	case file_type__REG:
		row->regular++;
		break;
	case file_type__DIR:
		row->directories++;
		break;
	case file_type__CHR:
	case file_type__BLK:
		row->devices++;
		break;
	case file_type__FIFO:
		row->pipes++;
		break;
	case file_type__sock:
	case file_type__unix:
	case file_type__IPv4:
	case file_type__IPv6:
	case file_type__netlink:
	case file_type__pack:
		row->sockets++;
		break;
	case file_type__a_inode:
		row->anonymous++;
		break;
	case file_type__LINK:
	case file_type__unknown:
		break;
	}
}

SEC("iter/task_file")
int sum_fds(struct bpf_iter__task_file *ctx)
{
	struct bpf_iter_meta *meta = ctx->meta;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct fds_by_process *row;

	if (!task || !file) {
		put_process(meta);
		return 0;
	}
	row = process_row(meta, task);
	if (row)
		count(row, file);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "file.h"
#include "path.h"
#include "row.h"

/* With O_PATH a file is open for neither. */
enum file_access {
	file_access__none,
	file_access__r,
	file_access__w,
	file_access__rw,
};

/* include/uapi/asm-generic/fcntl.h; the access mode has a column of its own. */
enum file_flag {
	file_flag__CREAT = 00000100,
	file_flag__EXCL = 00000200,
	file_flag__NOCTTY = 00000400,
	file_flag__TRUNC = 00001000,
	file_flag__APPEND = 00002000,
	file_flag__NONBLOCK = 00004000,
	file_flag__DSYNC = 00010000,
	file_flag__ASYNC = 00020000,
	file_flag__DIRECT = 00040000,
	file_flag__LARGEFILE = 00100000,
	file_flag__DIRECTORY = 00200000,
	file_flag__NOFOLLOW = 00400000,
	file_flag__NOATIME = 01000000,
	file_flag__CLOEXEC = 02000000,
	file_flag__SYNC = 04000000,
	file_flag__PATH = 010000000,
	file_flag__TMPFILE = 020000000,
};

struct ROW("an open file in a process") file_row {
	u32 pid DOC("process id, as the reader's pid namespace numbers it");
	u32 tid DOC("thread the table of descriptors belongs to; the process's first, mostly");
	u32 uid DOC("effective user id of the process");
	u32 fd DOC("file descriptor");
	enum file_type type DOC("type of file, as lsof names it");
	enum file_access access DOC("what it is open for");
	enum file_flag flags FLAGS DOC("open(2) flags, without the access mode");
	u64 pos DOC("position in the file, in bytes");
	device_t dev DOC("device the file lies on");
	device_t rdev ABSENT(0) DOC("device that a special file stands for");
	u64 inode DOC("inode number");
	u32 links DOC("number of names the file has; 0 once it is deleted");
	bytes_t size DOC("size of the file");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("path, or what /proc/<pid>/fd shows of a file that has none");
};

#define O_ACCMODE 3
#define FMODE_READ 1
#define FMODE_WRITE 2

/* Of the descriptor, not of the file: a duplicate may differ, fcntl(2) changes it. */
static __always_inline bool closed_on_exec(struct task_struct *task, u32 fd)
{
	unsigned long *bits = task->files->fdt->close_on_exec;
	/* No struct of the kernel's; said to be one of bits, its first word is a single load. */
	struct cpumask *word = (void *)(bits + fd / 64);

	return READ(word, bits[0]) >> (fd % 64) & 1;
}

SEC("iter/task_file")
int dump_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct file *file = ctx->file;
	struct reader *reader = task_reader(seq, task);
	struct file_row *row;
	struct inode *inode;
	u32 process;
	long size;

	if (!task || !file)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	process = readable_process(reader, task);
	if (!process)
		return 0;

	/*
	 * Programs of iterators may call bpf_d_path() since 5.12, which brought
	 * task_vma, too. Before, walk_path() fills the front of the record.
	 */
	row = (struct file_row *)reader->record;
	if (!bpf_core_type_exists(struct bpf_iter__task_vma))
		row = (struct file_row *)(reader->record + PATH_MAX);
	__builtin_memset(row, 0, sizeof(*row));
	row->pid = process;
	row->tid = number_for(reader, task->thread_pid);
	row->uid = task->cred->euid.val;
	row->fd = ctx->fd;
	copy_name(row->comm, task->group_leader->comm);

	inode = file->f_inode;
	row->type = type_of(file, inode);
	row->access = file->f_mode & (FMODE_READ | FMODE_WRITE);
	row->flags = file->f_flags & ~(O_ACCMODE | file_flag__CLOEXEC);
	if (closed_on_exec(task, ctx->fd))
		row->flags |= file_flag__CLOEXEC;
	row->pos = file->f_pos;
	row->dev = inode->i_sb->s_dev;
	row->rdev = inode->i_rdev;
	row->inode = inode->i_ino;
	row->links = inode->i_nlink;
	row->size = inode->i_size;

	/* By the names: what has none, as a socket, has no path. */
	if (!bpf_core_type_exists(struct bpf_iter__task_vma)) {
		row->path_length = walk_path(reader, file->f_path.dentry, file->f_path.mnt);
		write_row_with_path(seq, row, path, reader, row->path_length);
		return 0;
	}
	/* The size counts the closing NUL; a path too long for the buffer is left out. */
	size = bpf_d_path(&file->f_path, row->path, PATH_MAX);
	if (size < 1 || size > PATH_MAX)
		size = 1;
	/* The mask changes nothing; verifiers before 6.13 lose the bound without. */
	size = IN_PATH(size - 1);
	row->path_length = size;
	write_row_and_tail(seq, row, path, IN_PATH(size));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

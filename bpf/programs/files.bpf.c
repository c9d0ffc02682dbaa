// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/file.h"
#include "lib/file_path.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/path.h"
#include "lib/pid.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"

/* A file opened with O_PATH is open for neither. */
enum file_access {
	file_access__none,
	file_access__r,
	file_access__w,
	file_access__rw,
};

/* include/uapi/asm-generic/fcntl.h, without the access mode, which is another column. */
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
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	u32 tid KEY DOC("thread that the descriptor table belongs to; usually the first of the process");
	u32 uid ABSENT(-1) DOC("effective user id of the process");
	u32 fd KEY DOC("file descriptor");
	enum file_type type ABSENT(-1) DOC("type of file, as lsof names it");
	enum file_access access ABSENT(-1) DOC("access mode: r, w, rw, or none with O_PATH");
	enum file_flag flags FLAGS ABSENT(-1) DOC("open(2) flags, without the access mode");
	u64 pos ABSENT(-1) DOC("position in the file, in bytes");
	device_t dev ABSENT(-1) DOC("device of the file's filesystem");
	device_t rdev ABSENT(0) DOC("device that a device file stands for");
	u64 inode ABSENT(-1) DOC("inode number");
	u32 links ABSENT(-1) DOC("number of hard links; 0 once it is deleted");
	bytes_t size ABSENT(-1) DOC("size of the file");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("path, or for a file without one what /proc/<pid>/fd shows");
};

#define O_ACCMODE 3
#define FMODE_READ 1
#define FMODE_WRITE 2

/*
 * Whether close-on-exec is set. It is a flag of the descriptor, not of the file. An exec
 * or unshare(2) may have given the task a smaller table since the walk looked.
 */
static __always_inline bool closed_on_exec(struct task_struct *task, u32 fd)
{
	unsigned long *bits = FIELD(task, files, fdt, close_on_exec);
	/* The bitmap is not in a struct; as a cpumask, a word of it can be read by READ(). */
	struct cpumask *word = (void *)(bits + fd / 64);

	if (!HAS(task, files, fdt, max_fds) || fd >= task->files->fdt->max_fds)
		return false;
	return READ(word, bits[0]) >> (fd % 64) & 1;
}

/* Iterator programs can call bpf_d_path() since 5.12, which also added task_vma. */
#define HAS_D_PATH(file)                                                                           \
	(bpf_core_type_exists(struct bpf_iter__task_vma) && HAS(file, f_path))

SEC("iter/task_file")
int dump_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct file *file = ctx->file;
	struct question *question = current_question();
	struct reader *reader = task_reader(seq, task);
	struct file_row *row;
	u32 process;
	long size;

	if (!task || !file)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	process = readable_process(reader, task);
	if (!process)
		return 0;

	/* Without bpf_d_path(), walk_path() uses the front of the record. */
	row = (struct file_row *)reader->record;
	if (!HAS_D_PATH(file))
		row = (struct file_row *)(reader->record + PATH_MAX);
	__builtin_memset(row, 0, sizeof(*row));
	row->pid = process;
	row->tid = thread_for(reader, task);
	SET(row->uid, task, cred, euid.val);
	row->fd = ctx->fd;
	row->type = type_of(file);
	/* The other columns may take longer: they may not be in the processor's cache. */
	if (asking && !keeps_before(question, row, access))
		return 0;
	if (WANTS(question, row, comm))
		COPY_NAME(row->comm, task, group_leader, comm);
	if (HAS(file, f_mode))
		row->access = file->f_mode & (FMODE_READ | FMODE_WRITE);
	else
		UNSET(row->access);
	if (HAS(file, f_flags)) {
		row->flags = file->f_flags & ~(O_ACCMODE | file_flag__CLOEXEC);
		if (WANTS(question, row, flags) && closed_on_exec(task, ctx->fd))
			row->flags |= file_flag__CLOEXEC;
	} else {
		UNSET(row->flags);
	}
	SET(row->pos, file, f_pos);
	if (WANTS_ANY(question, row, dev, size)) {
		SET(row->dev, file, f_inode, i_sb, s_dev);
		row->rdev = FIELD(file, f_inode, i_rdev);
		SET(row->inode, file, f_inode, i_ino);
		SET(row->links, file, f_inode, i_nlink);
		SET(row->size, file, f_inode, i_size);
	}

	if (asking && !keeps_before(question, row, path))
		return 0;
	if (!WANTS(question, row, path)) {
		write_row_and_tail(seq, row, path, 0);
		return 0;
	}
	/* A file without a name, such as a socket, then has no path. */
	if (!HAS_D_PATH(file)) {
		row->path_length = walk_path(reader, FIELD(file, f_path.dentry),
					     FIELD(file, f_path.mnt));
		write_row_with_path(seq, row, path, reader, row->path_length);
		return 0;
	}
	/* The size counts the NUL at the end; a path that is too long is left out. */
	size = bpf_d_path(&file->f_path, row->path, PATH_MAX);
	if (size < 1 || size > PATH_MAX)
		size = 1;
	/* The mask changes nothing; without it verifiers before 6.13 lose the bound. */
	size = IN_PATH(size - 1);
	row->path_length = size;
	write_row_and_tail(seq, row, path, IN_PATH(size));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

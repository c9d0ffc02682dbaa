// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/kernel/iterators.h"
#include "lib/reader.h"
#include "lib/socket.h"
#include "lib/unix.h"

struct ROW("a socket that a process holds") socket_row {
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	u32 uid ABSENT(-1) DOC("effective user id of the process");
	u32 fd KEY DOC("file descriptor");
	struct socket_ends ends;
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd");
	u32 netns ABSENT(0) DOC("inode number of the net namespace it was created in");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("name that a unix socket is bound to; an abstract name begins with @");
};

SEC("iter/task_file")
int dump_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct file *file = ctx->file;
	struct question *question;
	struct socket_row row = {};
	struct reader *reader;
	struct unix_name name;
	struct sock *sk;

	/* Return early for the many files that are not sockets, but not at the end of the pass. */
	sk = file ? socket_of(file) : NULL;
	if (task && !sk)
		return 0;
	reader = task_reader(seq, task);
	question = current_question();
	if (!task || !sk)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	row.netns = READ(common_of(sk), skc_net.net, ns.inum);
	if (reader->net_namespace && row.netns != reader->net_namespace)
		return 0;
	row.pid = readable_process(reader, task);
	if (!row.pid)
		return 0;

	SET(row.uid, task, cred, euid.val);
	row.fd = ctx->fd;
	COPY_NAME(row.comm, task, group_leader, comm);
	read_ends(&row.ends, sk);
	row.inode = FIELD(file, f_inode, i_ino);
	if (asking && !keeps_before(question, &row, path))
		return 0;
	if (row.ends.family == AF_UNIX && WANTS(question, &row, path))
		row.path_length = read_unix_name(&name, (struct unix_sock *)sk);

	write_row_with_tail(seq, &row, path, name.path, row.path_length & (sizeof(name.path) - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

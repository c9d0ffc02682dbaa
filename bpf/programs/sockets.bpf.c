// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "reader.h"
#include "socket.h"
#include "unix.h"

/* include/linux/socket.h, AF_*: those a process may hold. */
enum socket_family {
	socket_family__unspec,
	socket_family__unix,
	socket_family__inet,
	socket_family__inet6 = 10,
	socket_family__netlink = 16,
	socket_family__packet,
	socket_family__pppox = 24,
	socket_family__can = 29,
	socket_family__tipc,
	socket_family__bluetooth,
	socket_family__alg = 38,
	socket_family__vsock = 40,
	socket_family__qipcrtr = 42,
	socket_family__smc,
	socket_family__xdp,
};

struct ROW("a socket that a process holds") socket_row {
	u32 pid DOC("process id, as the reader's pid namespace numbers it");
	u32 uid DOC("effective user id of the process");
	u32 fd DOC("file descriptor");
	enum socket_family family DOC("address family");
	enum socket_type type DOC("kind of socket: stream, dgram, raw, seqpacket");
	u32 protocol DOC("number of the protocol within the family, such as 6 for TCP");
	enum socket_state state DOC("state of the socket, as ss names it");
	inet_t local DOC("address of this end; none outside IP");
	u16 local_port ABSENT(0) DOC("port of this end");
	inet_t remote DOC("address of the other end");
	u16 remote_port ABSENT(0) DOC("port of the other end");
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd");
	u32 netns ABSENT(0) DOC("inode number of the net namespace it was made in");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("name that a unix socket is bound to; an abstract one begins with @");
};

static __always_inline void read_ends(struct socket_row *row, struct sock_common *common)
{
	local_address(row->local, common);
	row->local_port = BPF_CORE_READ(common, skc_num);
	/* The other end of what is not connected is nowhere, not at address 0. */
	row->remote_port = host_order(BPF_CORE_READ(common, skc_dport));
	if (row->remote_port)
		remote_address(row->remote, common);
}

SEC("iter/task_file")
int dump_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct file *file = ctx->file;
	struct reader *reader = task_reader(seq, task);
	struct socket_row row = {};
	struct unix_name name;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	if (!is_socket(file))
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	row.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (reader->net_namespace && row.netns != reader->net_namespace)
		return 0;
	row.pid = visible_process(reader, task);
	if (!row.pid)
		return 0;

	row.uid = task->cred->euid.val;
	row.fd = ctx->fd;
	BPF_CORE_READ_INTO(&row.comm, task, group_leader, comm);
	row.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	row.type = BPF_CORE_READ(sk, sk_type);
	row.protocol = BPF_CORE_READ(sk, sk_protocol);
	row.state = state_of(BPF_CORE_READ(sk, __sk_common.skc_state));
	row.inode = file->f_inode->i_ino;
	if (row.family == AF_INET || row.family == AF_INET6)
		read_ends(&row, &sk->__sk_common);
	if (row.family == AF_UNIX)
		row.path_length = read_unix_name(&name, (struct unix_sock *)sk);

	write_row_with_tail(seq, &row, path, name.path, row.path_length & (sizeof(name.path) - 1));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Stores a value with each socket that it comes to, shows the values, removes them. */
#include "iter.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} kept SEC(".maps");

SEC("iter/task_file")
int keep(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u64 *value;

	if (!file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	value = bpf_sk_storage_get(&kept, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!value)
		return 0;
	*value = 1000 + ctx->fd;
	BPF_SEQ_PRINTF(seq, "%llu\n", *value);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int show(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock *sk = ctx->sk;
	__u64 *value = ctx->value;

	if (sk && value)
		BPF_SEQ_PRINTF(seq, "%llu\n", *value);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int forget(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;

	if (sk)
		bpf_sk_storage_delete(&kept, sk);
	return 0;
}

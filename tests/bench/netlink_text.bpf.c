/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The columns of `net/netlink` as text that the kernel formats. */
#include "lib/kernel/iterators.h"
#include "lib/kernel/socket.h"
#include "lib/socket.h"

SEC("iter/netlink")
int netlink_text(struct bpf_iter__netlink *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct netlink_sock *netlink = ctx->sk;
	unsigned long groups = 0;
	struct sock *sk;

	if (!netlink)
		return 0;
	sk = &netlink->sk;
	if (netlink->groups)
		bpf_probe_read_kernel(&groups, sizeof(groups), netlink->groups);
	BPF_SEQ_PRINTF(seq, "%7u %7u %10x %7u %12u %12u %5u %7u %7u %12lu\n", sk->sk_protocol,
		       netlink->portid, (u32)groups, sk->sk_uid.val,
		       sk->sk_backlog.rmem_alloc.counter, sending_of(sk), netlink->cb_running,
		       sk->__sk_common.skc_refcnt.refs.counter, drops_of(sk), inode_of(sk));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The port of each listening TCP socket, and its net namespace. */
#include "iter.h"

#define TCP_LISTEN 10

/* "iter.s/tcp" makes the program sleepable, which this target does not allow. */
#ifndef SECTION
#define SECTION "iter/tcp"
#endif

SEC(SECTION)
int ports(struct bpf_iter__tcp *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct sock_common *common = ctx->sk_common;

	if (!common || common->skc_state != TCP_LISTEN)
		return 0;
	BPF_SEQ_PRINTF(seq, "%d %u\n", common->skc_num,
		       BPF_CORE_READ(common, skc_net.net, ns.inum));
	return 0;
}

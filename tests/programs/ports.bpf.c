// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Ports that TCP sockets listen on, and the net namespace each is in. */
#include "iter.h"

#define TCP_LISTEN 10

/* "iter.s/tcp" is a sleepable one, which this target takes none of. */
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

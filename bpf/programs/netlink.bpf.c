// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/socket.h"
#include "lib/read.h"
#include "lib/row.h"
#include "lib/socket.h"

/* include/uapi/linux/netlink.h, NETLINK_*. */
enum netlink_protocol {
	netlink_protocol__ROUTE,
	netlink_protocol__UNUSED,
	netlink_protocol__USERSOCK,
	netlink_protocol__FIREWALL,
	netlink_protocol__SOCK_DIAG,
	netlink_protocol__NFLOG,
	netlink_protocol__XFRM,
	netlink_protocol__SELINUX,
	netlink_protocol__ISCSI,
	netlink_protocol__AUDIT,
	netlink_protocol__FIB_LOOKUP,
	netlink_protocol__CONNECTOR,
	netlink_protocol__NETFILTER,
	netlink_protocol__IP6_FW,
	netlink_protocol__DNRTMSG,
	netlink_protocol__KOBJECT_UEVENT,
	netlink_protocol__GENERIC,
	netlink_protocol__SCSITRANSPORT = 18,
	netlink_protocol__ECRYPTFS,
	netlink_protocol__RDMA,
	netlink_protocol__CRYPTO,
	netlink_protocol__SMC,
};

struct ROW("a netlink socket") netlink {
	enum netlink_protocol protocol KEY ABSENT(-1) DOC("netlink family that the socket speaks");
	u64 portid KEY ABSENT(-1) DOC("address of the socket; 0 is the kernel");
	mask_t groups ABSENT(-1) DOC("multicast groups that it listens to; bits for the first 32");
	u32 uid ABSENT(-1) DOC("user who created it");
	bytes_t rmem ABSENT(-1) DOC("memory of messages waiting to be read");
	bytes_t wmem ABSENT(-1) DOC("memory of messages being sent");
	bool dump ABSENT(-1) DOC("whether a dump is under way");
	u32 refs ABSENT(-1) DOC("references held on the socket");
	u32 drops COUNTER ABSENT(-1) DOC("messages lost because they were not read in time");
	u64 inode ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none for a kernel socket");
};

SEC("iter/netlink")
int dump_netlink(struct bpf_iter__netlink *ctx)
{
	struct netlink_sock *netlink = ctx->sk;
	struct seq_file *seq = begin_rows(ctx->meta, netlink);
	struct netlink row = {};
	unsigned long groups = 0;
	struct sock *sk;

	if (!netlink)
		return 0;
	/* A netlink socket begins with its struct sock. */
	sk = (void *)netlink;

	SET(row.protocol, sk, sk_protocol);
	SET(row.portid, netlink, portid);
	/* A bitmap of ngroups bits: at least one word, if it exists. */
	if (FIELD(netlink, groups))
		bpf_probe_read_kernel(&groups, sizeof(groups), netlink->groups);
	row.groups = HAS(netlink, groups) ? (u32)groups : (mask_t)-1;
	SET(row.uid, sk, sk_uid.val);
	SET(row.rmem, sk, sk_backlog.rmem_alloc.counter);
	row.wmem = sending_of(sk);
	SET(row.dump, netlink, cb_running);
	SET(row.refs, common_of(sk), skc_refcnt.refs.counter);
	row.drops = drops_of(sk);
	row.inode = inode_of(sk);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

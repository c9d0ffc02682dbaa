// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/attach.h"
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/read.h"
#include "lib/row.h"

/* include/uapi/linux/bpf.h, enum bpf_link_type, by the names that bpftool prints. */
enum link_type {
	link_type__unspec,
	link_type__raw_tracepoint,
	link_type__tracing,
	link_type__cgroup,
	link_type__iter,
	link_type__netns,
	link_type__xdp,
	link_type__perf_event,
	link_type__kprobe_multi,
	link_type__struct_ops,
	link_type__netfilter,
	link_type__tcx,
	link_type__uprobe_multi,
	link_type__netkit,
	link_type__sockmap,
};

struct ROW("a BPF link") link {
	u32 id KEY ABSENT(-1) DOC("id of the link");
	enum link_type type ABSENT(-1) DOC("type of link, as bpftool names it");
	u32 program ABSENT(0) DOC("id of its program; none for a struct_ops link");
	enum attach_type attach ABSENT(-1) DOC("how the program is attached");
	u64 target_id ABSENT(0)
		DOC("id of what it is attached to: a cgroup's id, a net namespace's inode number or a map's id");
	char target[32] DOC("name of the iterator target, tracepoint or interface that it is attached to");
};

/* Fills the columns of what the link is attached to. */
static __always_inline void read_target(struct bpf_link *link, struct link *row)
{
	struct net_device *device;
	const char *name = NULL;

	switch (row->type) {
	case link_type__iter:
		name = READ((struct bpf_iter_link *)link, tinfo, reg_info, target);
		break;
	case link_type__raw_tracepoint:
		name = READ((struct bpf_raw_tp_link *)link, btp, tp, name);
		break;
	case link_type__cgroup:
		row->target_id = READ((struct bpf_cgroup_link *)link, cgroup, kn, id);
		break;
	case link_type__netns:
		row->target_id = READ((struct bpf_netns_link *)link, net, ns.inum);
		break;
	case link_type__struct_ops:
		row->target_id = READ((struct bpf_struct_ops_link *)link, map, id);
		break;
	case link_type__xdp:
		device = READ((struct bpf_xdp_link *)link, dev);
		/* The device may have been removed. */
		if (device)
			name = ADDRESS(device, name);
		break;
	default:
		break;
	}
	if (name)
		bpf_probe_read_kernel_str(row->target, sizeof(row->target), name);
}

SEC("iter/bpf_link")
int dump_links(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;
	struct seq_file *seq = begin_rows(ctx->meta, link);
	struct link row = {};
	struct bpf_prog *program;

	if (!link)
		return 0;

	SET(row.id, link, id);
	SET(row.type, link, type);
	program = FIELD(link, prog);
	if (program) {
		row.program = FIELD(program, aux, id);
		SET(row.attach, program, expected_attach_type);
	}
	/* Since 6.17 the link knows; a program may support several attach types. */
	if (HAS(link, attach_type))
		row.attach = (u32)link->attach_type;
	read_target(link, &row);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

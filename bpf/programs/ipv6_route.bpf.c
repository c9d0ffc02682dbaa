// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/route.h"
#include "lib/read.h"
#include "lib/row.h"

/* include/uapi/linux/route.h and ipv6_route.h, RTF_*. */
enum route_flag {
	route_flag__UP = 0x0001,
	route_flag__GATEWAY = 0x0002,
	route_flag__HOST = 0x0004,
	route_flag__REINSTATE = 0x0008,
	route_flag__DYNAMIC = 0x0010,
	route_flag__MODIFIED = 0x0020,
	route_flag__MTU = 0x0040,
	route_flag__WINDOW = 0x0080,
	route_flag__IRTT = 0x0100,
	route_flag__REJECT = 0x0200,
	route_flag__DEFAULT = 0x00010000,
	route_flag__ALLONLINK = 0x00020000,
	route_flag__ADDRCONF = 0x00040000,
	route_flag__PREFIX_RT = 0x00080000,
	route_flag__ANYCAST = 0x00100000,
	route_flag__NONEXTHOP = 0x00200000,
	route_flag__EXPIRES = 0x00400000,
	route_flag__ROUTEINFO = 0x00800000,
	route_flag__CACHE = 0x01000000,
	route_flag__FLOW = 0x02000000,
	route_flag__POLICY = 0x04000000,
	route_flag__RA_OFFLOAD = 0x08000000,
	route_flag__PCPU = 0x40000000,
	route_flag__LOCAL = 0x80000000,
};

struct ROW("an IPv6 route") ipv6_route {
	ipv6_t destination KEY ABSENT(-1) DOC("network that the route leads to");
	u8 prefix KEY ABSENT(-1) DOC("prefix length of the destination, in bits");
	u8 source_prefix KEY ABSENT(-1) DOC("prefix length of the source, in bits");
	ipv6_t source KEY ABSENT(-1) DOC("source network that packets must come from");
	ipv6_t gateway KEY ABSENT(0) DOC("next hop; none if the network is on the link");
	u64 metric KEY ABSENT(-1) DOC("cost; the route with the lower cost is used");
	u32 refs ABSENT(-1) DOC("references held on the route");
	enum route_flag flags FLAGS ABSENT(-1) DOC("kind and state of the route");
	char device[16] KEY DOC("outgoing interface");
};

/* Reads a network and its prefix length. */
#define read_network(network, prefix, route, key)                                                  \
	({                                                                                         \
		if (HAS(route, key.addr.in6_u.u6_addr8))                                           \
			BPF_CORE_READ_INTO(network, route, key.addr.in6_u.u6_addr8);               \
		else                                                                               \
			UNSET(*(network));                                                         \
		SET(*(prefix), route, key.plen);                                                   \
	})

/*
 * The route's own next hop, or the first one of its nexthop object, which may be a group;
 * NULL if the kernel does not tell. A route with a nexthop object has no room for a next
 * hop of its own. nh_info and nh_grp are a union, and is_group tells which one it holds.
 */
static __always_inline struct fib_nh_common *hop_of(struct fib6_info *route)
{
	struct nexthop *nexthop;
	struct nh_info *info;

	if (!HAS(route, nh))
		return NULL;
	nexthop = route->nh;
	if (!nexthop)
		return HAS(route, fib6_nh[0].nh_common) ? (void *)&route->fib6_nh[0].nh_common : NULL;
	if (!HAS(nexthop, is_group))
		return NULL;
	if (PROBE(nexthop, is_group))
		nexthop = PROBE(nexthop, nh_grp, nh_entries[0].nh);
	info = PROBE(nexthop, nh_info);
	return info && HAS(info, fib6_nh.nh_common) ? (void *)&info->fib6_nh.nh_common : NULL;
}

SEC("iter/ipv6_route")
int dump_ipv6_route(struct bpf_iter__ipv6_route *ctx)
{
	struct fib6_info *route = ctx->rt;
	struct seq_file *seq = begin_rows(ctx->meta, route);
	struct fib_nh_common *hop;
	struct ipv6_route row = {};
	struct net_device *device;

	if (!route)
		return 0;

	read_network(&row.destination, &row.prefix, route, fib6_dst);
	read_network(&row.source, &row.source_prefix, route, fib6_src);

	hop = hop_of(route);
	SET(row.flags, route, fib6_flags);
	if (PROBE(hop, nhc_gw_family)) {
		if (HAS(route, fib6_flags))
			row.flags |= route_flag__GATEWAY;
		if (HAS(hop, nhc_gw.ipv6.in6_u.u6_addr8))
			BPF_CORE_READ_INTO(&row.gateway, hop, nhc_gw.ipv6.in6_u.u6_addr8);
	}
	SET(row.metric, route, fib6_metric);
	SET(row.refs, route, fib6_ref.refs.counter);
	device = PROBE(hop, nhc_dev);
	if (device && HAS(device, name))
		BPF_CORE_READ_INTO(&row.device, device, name);

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

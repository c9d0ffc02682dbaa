/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* IPv6 routes, their next hops and their devices. */
#ifndef ITERFS_KERNEL_ROUTE_H
#define ITERFS_KERNEL_ROUTE_H

#include "net_device.h"
#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct fib_nh_common {
	struct net_device *nhc_dev;
	u8 nhc_gw_family;
	union {
		struct in6_addr ipv6;
	} nhc_gw;
};

struct fib6_nh {
	struct fib_nh_common nh_common;
};

struct nh_info {
	struct fib6_nh fib6_nh;
};

struct nh_grp_entry {
	struct nexthop *nh;
};

struct nh_group {
	struct nh_grp_entry nh_entries[1];
};

struct nexthop {
	bool is_group;
	struct nh_info *nh_info;
	struct nh_group *nh_grp;
};

struct rt6key {
	struct in6_addr addr;
	int plen;
};

struct fib6_info {
	refcount_t fib6_ref;
	struct rt6key fib6_dst;
	u32 fib6_flags;
	struct rt6key fib6_src;
	u32 fib6_metric;
	struct nexthop *nh;
	struct fib6_nh fib6_nh[1];
};

#pragma clang attribute pop

#endif

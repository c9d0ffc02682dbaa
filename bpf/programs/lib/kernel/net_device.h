/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Network devices. */
#ifndef ITERFS_KERNEL_NET_DEVICE_H
#define ITERFS_KERNEL_NET_DEVICE_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net_device {
	char name[16];
};

#pragma clang attribute pop

#endif

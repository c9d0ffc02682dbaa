/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Kernel symbols. */
#ifndef ITERFS_KERNEL_SYMBOL_H
#define ITERFS_KERNEL_SYMBOL_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kallsym_iter {
	loff_t pos;
	unsigned long value;
	char type;
	char name[512];
	char module_name[56];
	int exported;
	int show_value;
};

#pragma clang attribute pop

#endif

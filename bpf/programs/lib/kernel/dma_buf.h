/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* DMA buffers. */
#ifndef ITERFS_KERNEL_DMA_BUF_H
#define ITERFS_KERNEL_DMA_BUF_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct dma_buf {
	unsigned long size;
	struct file *file;
	const char *exp_name;
	const char *name;
};

#pragma clang attribute pop

#endif

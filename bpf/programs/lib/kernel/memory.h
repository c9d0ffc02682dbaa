/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Address spaces and the mappings in them. */
#ifndef ITERFS_KERNEL_MEMORY_H
#define ITERFS_KERNEL_MEMORY_H

#include "types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct percpu_counter {
	s64 count;
	s32 *counters;
};

/* Before 6.2: one plain counter for each kind of page. */
struct mm_rss_stat {
	atomic64_t count[4];
};

struct mm_struct {
	unsigned long total_vm;
	unsigned long start_brk, brk, start_stack;
	struct percpu_counter rss_stat[4];
	struct file *exe_file;
	unsigned long flags;
};

/* Since 6.18: the flags are a bitmap. */
struct mm_struct___flag_bits {
	struct {
		unsigned long __mm_flags[1];
	} flags;
};

struct mm_struct___plain_rss {
	struct mm_rss_stat rss_stat;
};

struct anon_vma_name {
	char name[1];
};

struct vm_special_mapping {
	const char *name;
};

struct vm_operations_struct {
	const void *name;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
	void *vm_private_data;
	struct anon_vma_name *anon_name;
};

#pragma clang attribute pop

#endif

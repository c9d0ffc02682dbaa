/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory: the counters of an address space, and kinds of mappings. */
#ifndef ITERFS_MEMORY_H
#define ITERFS_MEMORY_H

#include "kernel/memory.h"
#include "read.h"

/* include/linux/mm_types_task.h: the order of rss_stat. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

/* include/linux/mm.h */
#define VM_READ 0x1
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_MAYSHARE 0x80

/*
 * A counter of pages as /proc/<pid>/stat reads it: without what each processor has not
 * added yet. This is a macro because an access to an array element is relocated only if
 * the index is a constant in the source; otherwise it would go by the size that the
 * element has in our own header.
 */
#define memory_counter(mm, kind)                                                                   \
	({                                                                                         \
		struct mm_struct___plain_rss *plain = (void *)(mm);                                \
		s64 pages;                                                                         \
		if (bpf_core_field_exists(struct mm_rss_stat, count))                              \
			pages = READ(plain, rss_stat.count[kind].counter);                         \
		else                                                                               \
			pages = READ(mm, rss_stat[kind].count);                                    \
		pages > 0 ? pages : 0;                                                             \
	})

/* Whether the kernel has these counters. */
#define HAS_MEMORY_COUNTERS(mm)                                                                    \
	(bpf_core_field_exists(struct mm_rss_stat, count) ? HAS((struct mm_struct___plain_rss *)(mm), \
								rss_stat.count[0].counter)         \
							  : HAS(mm, rss_stat[0].count))

/* Pages resident in RAM. */
static __always_inline u64 resident_pages(struct mm_struct *mm)
{
	return memory_counter(mm, MM_FILEPAGES) + memory_counter(mm, MM_ANONPAGES) +
	       memory_counter(mm, MM_SHMEMPAGES);
}

/* Whether a mapping without a file is the heap, as fs/proc/task_mmu.c tells it. */
static __always_inline bool is_heap(struct vm_area_struct *vma, struct mm_struct *mm)
{
	if (!HAS(vma, vm_start) || !HAS(vma, vm_end) || !HAS(mm, brk) || !HAS(mm, start_brk))
		return false;
	return vma->vm_start < mm->brk && vma->vm_end > mm->start_brk;
}

/* Whether it is the stack of the first thread. */
static __always_inline bool is_stack(struct vm_area_struct *vma, struct mm_struct *mm)
{
	if (!HAS(vma, vm_start) || !HAS(vma, vm_end) || !HAS(mm, start_stack))
		return false;
	return vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack;
}

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/memory.h"
#include "lib/memory.h"
#include "lib/pid.h"
#include "lib/process_group.h"
#include "lib/read.h"

struct ROW("a process, with the totals of its memory mappings") memory_by_process {
	struct counted_process process;
	u64 mappings DOC("number of mappings");
	bytes_t size ABSENT(-1) DOC("size of all mappings");
	bytes_t file ABSENT(-1) DOC("size of those that map a file");
	bytes_t anonymous ABSENT(-1) DOC("size of those without a file");
	bytes_t shared ABSENT(-1) DOC("size of shared mappings");
	bytes_t writable ABSENT(-1) DOC("size of writable mappings");
	bytes_t executable ABSENT(-1) DOC("size of executable mappings");
	bytes_t heap ABSENT(-1) DOC("size of [heap], the memory below brk(2)");
	bytes_t stack ABSENT(-1) DOC("size of [stack], the stack of the first thread");
	pages_t rss ABSENT(-1) DOC("memory resident in RAM");
	pages_t swap ABSENT(-1) DOC("memory swapped out");
};

PROCESS_GROUPS(struct memory_by_process);

/* The kernel does not tell the sizes of mappings. */
static __always_inline void forget_sizes(struct memory_by_process *row)
{
	UNSET(row->size);
	UNSET(row->file);
	UNSET(row->anonymous);
	UNSET(row->shared);
	UNSET(row->writable);
	UNSET(row->executable);
	UNSET(row->heap);
	UNSET(row->stack);
}

static __always_inline void count(struct memory_by_process *row, struct vm_area_struct *vma,
				  struct mm_struct *mm)
{
	unsigned long flags = FIELD(vma, vm_flags);
	u64 size;

	row->mappings++;
	if (!HAS(vma, vm_start) || !HAS(vma, vm_end)) {
		forget_sizes(row);
		return;
	}
	size = vma->vm_end - vma->vm_start;
	row->size += size;
	if (flags & VM_MAYSHARE)
		row->shared += size;
	if (flags & VM_WRITE)
		row->writable += size;
	if (flags & VM_EXEC)
		row->executable += size;
	if (!HAS(vma, vm_flags)) {
		UNSET(row->shared);
		UNSET(row->writable);
		UNSET(row->executable);
	}
	if (!HAS(vma, vm_file)) {
		UNSET(row->file);
		UNSET(row->anonymous);
		UNSET(row->heap);
		UNSET(row->stack);
		return;
	}
	if (vma->vm_file) {
		row->file += size;
		return;
	}
	row->anonymous += size;
	if (!HAS(mm, brk) || !HAS(mm, start_brk))
		UNSET(row->heap);
	else if (is_heap(vma, mm))
		row->heap += size;
	if (!HAS(mm, start_stack))
		UNSET(row->stack);
	else if (is_stack(vma, mm) && !is_heap(vma, mm))
		row->stack += size;
}

SEC("iter/task_vma")
int sum_vmas(struct bpf_iter__task_vma *ctx)
{
	struct bpf_iter_meta *meta = ctx->meta;
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct reader *reader;
	struct memory_by_process *row;
	struct mm_struct *mm;

	if (!task || !vma) {
		put_process(meta);
		return 0;
	}
	/* The walk visits threads that have their own descriptors, too; their memory is the same. */
	if (!is_leader(task))
		return 0;
	mm = FIELD(vma, vm_mm);
	/* Decide by the memory that is walked, which the process may have given up. */
	reader = current_reader();
	if (!reader || !may_look_into(reader, task, mm))
		return 0;
	if (!mm)
		return 0;
	row = process_row(meta, task);
	if (!row)
		return 0;
	if (!row->mappings) {
		row->rss = row->swap = -1;
		if (HAS_MEMORY_COUNTERS(mm)) {
			row->rss = resident_pages(mm);
			row->swap = memory_counter(mm, MM_SWAPENTS);
		}
	}
	count(row, vma, mm);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

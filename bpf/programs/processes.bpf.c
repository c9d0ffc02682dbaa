// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/file_path.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/memory.h"
#include "lib/kernel/task.h"
#include "lib/loop.h"
#include "lib/memory.h"
#include "lib/path.h"
#include "lib/pid.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"
#include "lib/task.h"

struct ROW("a process") process {
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	u32 ppid ABSENT(-1) DOC("process id of the parent; 0 if it is outside the reader's pid namespace");
	struct task_ids ids;
	enum task_state state ABSENT(-1) DOC("state of its first thread, as in /proc/<pid>/status");
	u32 threads ABSENT(-1) DOC("number of threads");
	u32 slots ABSENT(0) DOC("size of its descriptor table, FDSize of /proc/<pid>/status");
	struct task_priority priority;
	enum task_policy policy ABSENT(-1) DOC("scheduling policy of its first thread");
	nanoseconds_t utime COUNTER ABSENT(-1)
		DOC("processor time of all its threads, including ended ones, in user mode");
	nanoseconds_t stime COUNTER ABSENT(-1) DOC("the same in the kernel");
	nanoseconds_t start ABSENT(-1) DOC("start time, since boot");
	pages_t rss ABSENT(-1) DOC("memory resident in RAM; none for a kernel thread");
	pages_t swap ABSENT(-1) DOC("memory swapped out");
	pages_t vsize ABSENT(-1) DOC("size of its address space");
	struct task_membership membership;
	char comm[16] DOC("name of its first thread");
	tail_length_t exe_length;
	char exe[] DOC("path of its executable; none for a kernel thread, or if the reader may not see it");
};

#define UNKNOWN ((u64)-1)
/* A process cannot have more (include/linux/threads.h, PID_MAX_LIMIT). */
#define MAX_THREADS (4 * 1024 * 1024)

struct bpf_iter_task {
	u64 opaque[3];
} __attribute__((aligned(8)));

/* Visit the threads of one process (kernel/bpf/task_iter.c, since 6.7). */
enum { TASK_ITER_PROC_THREADS = 2 };

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym __weak;

/* Whether the kernel has the fields that a process's times are made from. */
#define HAS_PROCESS_TIMES(task)                                                                    \
	(HAS(task, utime) && HAS(task, stime) && HAS(task, se.sum_exec_runtime) &&                 \
	 HAS(task, signal, utime) && HAS(task, signal, stime) &&                                   \
	 HAS(task, signal, sum_sched_runtime))

/* The times of the threads that have not ended. */
struct usage {
	u64 utime, stime, runtime;
	bool complete;
};

static __always_inline void add_thread(struct usage *usage, struct task_struct *thread)
{
	usage->utime += READ(thread, utime);
	usage->stime += READ(thread, stime);
	usage->runtime += READ(thread, se.sum_exec_runtime);
}

/* A walk along the list of a process's threads. */
struct thread_walk {
	struct usage *usage;
	struct list_head *node, *head;
};

/* Adds a thread; true after the last. */
static __noinline bool next_thread(struct thread_walk *walk)
{
	struct list_head *node;

	if (!walk)
		return true;
	node = walk->node;
	if (node == walk->head || !node) {
		walk->usage->complete = true;
		return true;
	}
	if (!bpf_core_field_exists(struct task_struct, thread_node) || !HAS(node, next))
		return true;
	add_thread(walk->usage, OWNER(node, struct task_struct, thread_node));
	walk->node = READ(node, next);
	return false;
}

/*
 * Before 6.7 a program cannot iterate over the threads of another task, so follow the
 * list. If there are too many threads the sum stays incomplete, and is not shown.
 */
static __always_inline void add_threads_by_list(struct usage *usage, struct signal_struct *signal)
{
	struct thread_walk walk = {
		.usage = usage,
		.node = READ(signal, thread_head.next),
		.head = ADDRESS(signal, thread_head),
	};

	if (!HAS(signal, thread_head.next))
		return;
	repeat(MAX_THREADS, 32, next_thread(&walk));
}

static __always_inline void add_threads(struct usage *usage, struct task_struct *leader)
{
	if (FIELD(leader, signal, nr_threads) == 1) {
		add_thread(usage, leader);
		usage->complete = true;
	} else if (bpf_ksym_exists(bpf_iter_task_new)) {
		struct bpf_iter_task it;
		struct task_struct *thread;

		bpf_iter_task_new(&it, leader, TASK_ITER_PROC_THREADS);
		while ((thread = bpf_iter_task_next(&it)))
			add_thread(usage, thread);
		bpf_iter_task_destroy(&it);
		usage->complete = true;
	} else {
		add_threads_by_list(usage, leader->signal);
	}
}

SEC("iter/task")
int dump_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct question *question = current_question();
	struct reader *reader = task_reader(seq, task);
	struct usage usage = {};
	struct cpu_times times;
	struct mm_struct *mm;
	struct file *program;
	struct process row = {};
	u32 length = 0;

	if (!task || !is_leader(task))
		return 0;
	if (!reader)
		return WITHOUT_READER;
	row.pid = visible_process(reader, task);
	if (!row.pid)
		return 0;
	row.ppid = parent_of(reader, task);

	read_ids(&row.ids, task);
	row.state = state_of(task);
	SET(row.threads, task, signal, nr_threads);
	row.slots = READ(task, files, fdt, max_fds);
	read_priority(&row.priority, task);
	SET(row.policy, task, policy);

	row.utime = row.stime = UNKNOWN;
	if (HAS_PROCESS_TIMES(task) && WANTS_ANY(question, &row, utime, stime)) {
		add_threads(&usage, task);
		if (usage.complete) {
			times = adjusted(usage.utime + task->signal->utime,
					 usage.stime + task->signal->stime,
					 usage.runtime + task->signal->sum_sched_runtime,
					 times_shown_before(task->signal));
			row.utime = times.utime;
			row.stime = times.stime;
		}
	}

	SET(row.start, task, start_boottime);

	row.rss = row.swap = row.vsize = UNKNOWN;
	/* A kernel thread borrows an address space; without flags any task may be one. */
	mm = HAS(task, flags) && !(task->flags & PF_KTHREAD) ? FIELD(task, mm) : NULL;
	if (mm) {
		if (HAS_MEMORY_COUNTERS(mm) && WANTS_ANY(question, &row, rss, swap)) {
			row.rss = resident_pages(mm);
			row.swap = memory_counter(mm, MM_SWAPENTS);
		}
		SET(row.vsize, mm, total_vm);
	}
	read_membership(&row.membership, task);
	COPY_NAME(row.comm, task, comm);
	if (asking && !keeps_before(question, &row, exe))
		return 0;
	/* As in /proc: anybody may see the numbers, but not the path of the executable. */
	if (mm && WANTS(question, &row, exe) && may_look_into(reader, task, mm)) {
		program = READ(mm, exe_file);
		length = walk_path(reader, READ(program, f_path.dentry),
				   READ(program, f_path.mnt));
	}

	row.exe_length = length;
	write_row_with_path(seq, &row, exe, reader, length);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

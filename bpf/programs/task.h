/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the task tables share: states, policies, times, namespaces. */
#ifndef ITERFS_TASK_H
#define ITERFS_TASK_H

#include "reader.h"
#include "row.h"

/* fs/proc/array.c, task_state_array: one bit a state, in this order. */
enum task_state {
	task_state__running,
	task_state__sleeping,
	task_state__disk_sleep,
	task_state__stopped,
	task_state__tracing_stop,
	task_state__dead,
	task_state__zombie,
	task_state__parked,
	task_state__idle,
};

#define UNKNOWN_STATE ((enum task_state)-1)

/* include/uapi/linux/sched.h, SCHED_*. */
enum task_policy {
	task_policy__other,
	task_policy__fifo,
	task_policy__rr,
	task_policy__batch,
	task_policy__idle = 5,
	task_policy__deadline,
	task_policy__ext,
};

/* include/linux/sched.h: the bits that /proc shows, and those it translates. */
#define TASK_REPORT 0x7f
#define TASK_IDLE 0x402
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FROZEN 0x8000
#define TASK_UNINTERRUPTIBLE 0x2
#define MAX_RT_PRIO 100
#define DEFAULT_PRIO 120
#define PF_KTHREAD 0x00200000

/* Stands for no priority and no nice value: ABSENT(-2147483648). */
#define NO_NUMBER (-0x7fffffff - 1)

static __always_inline enum task_state state_of(struct task_struct *task)
{
	struct task_struct___long_state *old = (void *)task;
	u32 state, shown;

	if (HAS(task, __state))
		state = task->__state;
	else if (HAS(old, state))
		state = old->state;
	else
		return UNKNOWN_STATE;

	/* As __task_state_index() does: an idle kernel thread is not in disk sleep. */
	shown = (state | FIELD(task, exit_state)) & TASK_REPORT;
	if ((state & TASK_IDLE) == TASK_IDLE)
		return task_state__idle;
	if (state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		shown = TASK_UNINTERRUPTIBLE;

	for (int bit = 6; bit >= 0; bit--)
		if (shown & (1 << bit))
			return bit + 1;
	return task_state__running;
}

static __always_inline u32 cpu_of(struct task_struct *task)
{
	struct task_struct___own_cpu *old = (void *)task;

	if (HAS(task, thread_info.cpu))
		return task->thread_info.cpu;
	return HAS(old, cpu) ? old->cpu : -1;
}

struct cpu_times {
	u64 utime, stime;
};

/* What /proc last showed of a task or of a process's signals; 0 if it never did. */
#define times_shown_before(owner)                                                                  \
	({                                                                                         \
		struct cpu_times before = {};                                                      \
		before.utime = FIELD(owner, prev_cputime.utime);                                   \
		before.stime = FIELD(owner, prev_cputime.stime);                                   \
		before;                                                                            \
	})

/*
 * The scheduler knows to the nanosecond how long a task ran, and by sampling
 * how that divides. /proc shows the exact sum divided in the sampled ratio, but
 * lets neither part go back, and so do we (kernel/sched/cputime.c,
 * cputime_adjust()).
 */
static __always_inline struct cpu_times adjusted(u64 utime, u64 stime, u64 runtime,
						 struct cpu_times before)
{
	struct cpu_times times = {};
	/* In units of about a millisecond, so that the products fit 64 bits. */
	u64 system = stime >> 20, total = (utime + stime) >> 20;

	if (before.utime + before.stime >= runtime)
		return before;
	if (!stime || !total)
		times.stime = utime || !stime ? 0 : runtime;
	else
		times.stime = runtime / total * system + runtime % total * system / total;
	if (times.stime > runtime)
		times.stime = runtime;
	if (times.stime < before.stime)
		times.stime = before.stime;
	times.utime = runtime - times.stime;
	if (times.utime < before.utime) {
		times.utime = before.utime;
		times.stime = runtime - times.utime;
	}
	return times;
}

static __always_inline u32 parent_of(const struct reader *reader, struct task_struct *task)
{
	return HAS(task, real_parent) ? process_for(reader, task->real_parent) : -1;
}

static __always_inline u32 pid_namespace_of(struct task_struct *task)
{
	struct upid *number;
	struct pid *pid;
	u32 level;

	if (!HAS(task, thread_pid, level))
		return 0;
	pid = task->thread_pid;
	level = pid->level;
	number = level <= MAX_PID_NS_LEVEL ? number_at(pid, level) : NULL;
	return number ? READ(number, ns, ns.inum) : 0;
}

/* Fills the columns that say how a task is scheduled. */
#define read_schedule(row, task)                                                                   \
	({                                                                                         \
		(row)->prio = HAS(task, prio) ? (task)->prio - MAX_RT_PRIO : NO_NUMBER;            \
		(row)->nice = HAS(task, static_prio) ? (task)->static_prio - DEFAULT_PRIO : NO_NUMBER; \
		SET((row)->policy, task, policy);                                                  \
		SET((row)->start, task, start_boottime);                                           \
	})

/* Fills the columns that say who a task is and where it belongs. */
#define read_identity(row, task)                                                                   \
	({                                                                                         \
		struct nsproxy *nsproxy = FIELD(task, nsproxy);                                    \
		SET((row)->uid, task, cred, euid.val);                                             \
		SET((row)->gid, task, cred, egid.val);                                             \
		SET((row)->ruid, task, cred, uid.val);                                             \
		(row)->userns = FIELD(task, cred, user_ns, ns.inum);                               \
		(row)->cgroup = FIELD(task, cgroups, dfl_cgrp, kn, id);                            \
		(row)->pidns = pid_namespace_of(task);                                             \
		/* A task that exits lets go of these first. */                                    \
		if (nsproxy) {                                                                     \
			(row)->netns = FIELD(nsproxy, net_ns, ns.inum);                            \
			(row)->mntns = FIELD(nsproxy, mnt_ns, ns.inum);                            \
			(row)->cgroupns = FIELD(nsproxy, cgroup_ns, ns.inum);                      \
		}                                                                                  \
		COPY_NAME((row)->comm, task, comm);                                                \
	})

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tasks: their states, scheduling, times, credentials and namespaces. */
#ifndef ITERFS_TASK_H
#define ITERFS_TASK_H

#include "kernel/cgroup.h"
#include "kernel/namespace.h"
#include "kernel/task.h"
#include "pid.h"
#include "read.h"
#include "row.h"

/* fs/proc/array.c, task_state_array: one bit for each state, in this order. */
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

/* ABSENT(-1): the kernel does not tell. */
#define UNKNOWN_TASK_STATE ((enum task_state)-1)

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

/* include/linux/sched.h: the state bits that /proc shows, and those that it translates. */
#define TASK_REPORT 0x7f
#define TASK_IDLE 0x402
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FROZEN 0x8000
#define TASK_UNINTERRUPTIBLE 0x2
#define MAX_RT_PRIO 100
#define DEFAULT_PRIO 120
#define PF_KTHREAD 0x00200000

/* ABSENT(-2147483648): neither a priority nor a nice value. */
#define NO_PRIORITY (-0x7fffffff - 1)

static __always_inline enum task_state state_of(struct task_struct *task)
{
	struct task_struct___long_state *old = (void *)task;
	u32 state, shown;

	if (HAS(task, __state))
		state = task->__state;
	else if (HAS(old, state))
		state = old->state;
	else
		return UNKNOWN_TASK_STATE;

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

/* The processor that the task runs on; all ones if the kernel does not tell. */
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

/* The times that /proc last showed of a task or a signal_struct; 0 if it never did. */
#define times_shown_before(owner)                                                                  \
	({                                                                                         \
		struct cpu_times before = {};                                                      \
		before.utime = FIELD(owner, prev_cputime.utime);                                   \
		before.stime = FIELD(owner, prev_cputime.stime);                                   \
		before;                                                                            \
	})

/*
 * The scheduler knows the run time of a task to the nanosecond, but how it divides into
 * user and system time only by sampling. /proc divides the exact sum in the sampled
 * ratio, and never lets either part decrease. This does the same
 * (kernel/sched/cputime.c, cputime_adjust()).
 */
static __always_inline struct cpu_times adjusted(u64 utime, u64 stime, u64 runtime,
						 struct cpu_times before)
{
	struct cpu_times times = {};
	/* In units of about a millisecond, so that the products fit into 64 bits. */
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

/*
 * The parent's process id for the reader, 0 if it is not visible; all ones if the kernel
 * does not tell.
 */
static __always_inline u32 parent_of(const struct reader *reader, struct task_struct *task)
{
	return HAS(task, real_parent) ? process_for(reader, task->real_parent) : -1;
}

/* The inode number of the innermost pid namespace of a task; 0 if it has none any more. */
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

/* The columns of a task's user and group. */
struct task_ids {
	u32 uid ABSENT(-1) DOC("effective user id, as ps shows it");
	u32 gid ABSENT(-1) DOC("effective group id");
	u32 ruid ABSENT(-1) DOC("real user id");
};

static __always_inline void read_ids(struct task_ids *ids, struct task_struct *task)
{
	SET(ids->uid, task, cred, euid.val);
	SET(ids->gid, task, cred, egid.val);
	SET(ids->ruid, task, cred, uid.val);
}

/* The columns of a task's priority. */
struct task_priority {
	s32 prio ABSENT(-2147483648)
		DOC("kernel priority, field 18 of /proc/<pid>/stat; negative if real-time");
	s32 nice ABSENT(-2147483648) DOC("nice value, -20 to 19");
};

static __always_inline void read_priority(struct task_priority *priority, struct task_struct *task)
{
	priority->prio = HAS(task, prio) ? task->prio - MAX_RT_PRIO : NO_PRIORITY;
	priority->nice = HAS(task, static_prio) ? task->static_prio - DEFAULT_PRIO : NO_PRIORITY;
}

/* The columns of a task's cgroup and namespaces. */
struct task_membership {
	u64 cgroup ABSENT(0) DOC("id of its cgroup in the unified hierarchy");
	u32 pidns ABSENT(0) DOC("inode number of its pid namespace");
	u32 netns ABSENT(0) DOC("inode number of its net namespace; none once it exits");
	u32 mntns ABSENT(0) DOC("inode number of its mount namespace");
	u32 userns ABSENT(0) DOC("inode number of its user namespace");
	u32 cgroupns ABSENT(0) DOC("inode number of its cgroup namespace");
};

static __always_inline void read_membership(struct task_membership *membership,
					    struct task_struct *task)
{
	struct nsproxy *nsproxy = FIELD(task, nsproxy);

	membership->cgroup = FIELD(task, cgroups, dfl_cgrp, kn, id);
	membership->pidns = pid_namespace_of(task);
	membership->userns = FIELD(task, cred, user_ns, ns.inum);
	/* A task that exits gives these up first. */
	if (nsproxy) {
		membership->netns = FIELD(nsproxy, net_ns, ns.inum);
		membership->mntns = FIELD(nsproxy, mnt_ns, ns.inum);
		membership->cgroupns = FIELD(nsproxy, cgroup_ns, ns.inum);
	}
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tasks: threads, their credentials and their times. */
#ifndef ITERFS_KERNEL_TASK_H
#define ITERFS_KERNEL_TASK_H

#include "namespace.h"
#include "types.h"

/* Since 7.2; only read as a number. */
enum task_dumpable { TASK_DUMPABLE_OFF };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	struct {
		u64 val;
	} cap_permitted;
	struct user_namespace *user_ns;
};

/* Before 6.3: two words. */
struct cred___cap_words {
	struct {
		u32 cap[2];
	} cap_permitted;
};

struct prev_cputime {
	u64 utime;
	u64 stime;
};

struct signal_struct {
	struct prev_cputime prev_cputime;
	int nr_threads;
	struct list_head thread_head;
	u64 utime;
	u64 stime;
	unsigned long long sum_sched_runtime;
};

struct thread_info {
	u32 cpu;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	int exit_state;
	unsigned int flags;
	int prio;
	int static_prio;
	unsigned int policy;
	int pid;
	int tgid;
	struct sched_entity se;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct list_head thread_node;
	struct pid *thread_pid;
	u64 utime;
	u64 stime;
	struct prev_cputime prev_cputime;
	u64 start_boottime;
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct task_exec_state *exec_state;
};

/* Before 5.14: a long of another name. */
struct task_struct___long_state {
	long state;
};

/* Before 5.16, on x86: the processor was here, not in thread_info. */
struct task_struct___own_cpu {
	unsigned int cpu;
};

/* Since 7.2: what execve(2) decides about a task. */
struct task_exec_state {
	enum task_dumpable dumpable;
};

#pragma clang attribute pop

#endif

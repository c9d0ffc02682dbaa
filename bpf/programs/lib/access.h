/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rights of a reader: which processes, and whose files and memory. bpf/src/load/rights.rs
 * lists the fields that decide this; without them a program shows nothing.
 */
#ifndef ITERFS_ACCESS_H
#define ITERFS_ACCESS_H

#include "kernel/memory.h"
#include "kernel/task.h"
#include "pid.h"
#include "reader.h"

/* The process id of task, or 0 if the reader must not see the task. */
static __always_inline u32 visible_process(const struct reader *reader, struct task_struct *task)
{
	u32 process = process_for(reader, task);

	if (reader->process && process != reader->process)
		return 0;
	if (reader->started && FIELD(task, group_leader, start_boottime) != reader->started)
		return 0;
	if (reader->own &&
	    (!HAS(task, real_cred, uid.val) || task->real_cred->uid.val != reader->uid))
		return 0;
	return process;
}

/* include/linux/mm_types.h: the low bits of an address space's flags. */
#define DUMPABLE_MASK 3
/* enum task_dumpable of 7.2 has the same values. */
#define SUID_DUMP_USER 1

/*
 * Whether the dumpable flag (prctl(2), PR_SET_DUMPABLE) lets a task's user look into its
 * address space. An address space that a process gave up at an exec keeps its flag. An
 * exiting process has no address space, and nobody may look.
 *
 * Since 7.2 the task has the flag, not the address space. An exec installs the new
 * address space before the new flag (fs/exec.c, exec_mmap()). So if the flag is read
 * first and the address space compared afterwards, the flag belongs to that address
 * space or to an earlier one.
 */
static __always_inline bool is_dumpable(struct task_struct *task, struct mm_struct *mm)
{
	struct mm_struct___flag_bits *bits = (void *)mm;
	unsigned long flags;

	if (!mm)
		return false;
	if (bpf_core_type_exists(struct task_exec_state)) {
		if (!HAS(task, exec_state, dumpable) || !HAS(task, mm))
			return false;
		flags = READ(task, exec_state, dumpable);
		barrier();
		return flags == SUID_DUMP_USER && READ(task, mm) == mm;
	}
	if (bpf_core_field_exists(bits->flags.__mm_flags))
		flags = BPF_CORE_READ(bits, flags.__mm_flags[0]);
	else if (HAS(mm, flags))
		flags = READ(mm, flags);
	else
		return false;
	return (flags & DUMPABLE_MASK) == SUID_DUMP_USER;
}

/* The permitted capabilities as bits; all of them if the kernel does not tell. */
static __always_inline u64 capabilities_of(struct cred *cred)
{
	struct cred___cap_words *old = (void *)cred;

	if (HAS(cred, cap_permitted.val))
		return READ(cred, cap_permitted.val);
	if (HAS(old, cap_permitted.cap))
		return (u64)READ(old, cap_permitted.cap[1]) << 32 | READ(old, cap_permitted.cap[0]);
	return -1;
}

/* User namespaces nest no deeper (kernel/user_namespace.c). */
#define MAX_USER_NS_LEVEL 33

/*
 * Whether the reader has every capability that a task has (security/commoncap.c,
 * cap_ptrace_access_check()). Either both are in the same user namespace, and the task's
 * permitted capabilities are a subset of the reader's. Or the reader's effective user
 * created, within the reader's user namespace, the one that the task is in or one above
 * it: there the reader has all capabilities (cap_capable()).
 */
static __noinline bool may_inspect(const struct reader *reader, struct cred *cred)
{
	struct user_namespace *namespace, *parent;

	if (!reader || !cred)
		return false;
	if (!HAS(cred, user_ns) || !HAS(namespace, ns.inum) || !HAS(namespace, parent) ||
	    !HAS(namespace, owner.val))
		return false;
	namespace = READ(cred, user_ns);
	if (READ(namespace, ns.inum) == reader->user_namespace &&
	    READ(namespace, owner.val) == reader->namespace_owner)
		return !(capabilities_of(cred) & ~reader->capabilities);
	for (int i = 0; i < MAX_USER_NS_LEVEL; i++) {
		parent = READ(namespace, parent);
		if (!parent)
			return false;
		if (READ(parent, ns.inum) == reader->user_namespace &&
		    READ(parent, owner.val) == reader->namespace_owner)
			return READ(namespace, owner.val) == reader->effective;
		namespace = parent;
	}
	return false;
}

/*
 * Whether the reader may see what a task holds: its files, its memory, the program that
 * it runs. This is /proc's rule for a user without capabilities (kernel/ptrace.c,
 * __ptrace_may_access()), without the exception for a process that looks at itself. mm
 * is the memory to look at.
 */
static __always_inline bool may_look_into(const struct reader *reader, struct task_struct *task,
					  struct mm_struct *mm)
{
	const struct cred *cred;

	if (!reader->own)
		return true;
	if (!HAS(task, real_cred))
		return false;
	cred = task->real_cred;
	if (!HAS(cred, uid.val) || !HAS(cred, euid.val) || !HAS(cred, suid.val) ||
	    !HAS(cred, gid.val) || !HAS(cred, egid.val) || !HAS(cred, sgid.val))
		return false;
	if (cred->uid.val != reader->uid || cred->euid.val != reader->uid ||
	    cred->suid.val != reader->uid)
		return false;
	if (cred->gid.val != reader->gid || cred->egid.val != reader->gid ||
	    cred->sgid.val != reader->gid)
		return false;
	return may_inspect(reader, (struct cred *)cred) && is_dumpable(task, mm);
}

/* visible_process() of a process whose files the reader may see. */
static __always_inline u32 readable_process(const struct reader *reader, struct task_struct *task)
{
	if (!may_look_into(reader, task, FIELD(task, mm)))
		return 0;
	return visible_process(reader, task);
}

#endif

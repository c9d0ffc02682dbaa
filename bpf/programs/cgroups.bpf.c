// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/cgroup.h"
#include "lib/kernel/iterators.h"
#include "lib/kernfs_path.h"
#include "lib/loop.h"
#include "lib/path.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("a cgroup of the unified hierarchy") cgroup_row {
	u64 id KEY DOC("id of the cgroup: the inode number of its directory, and the column cgroup of other tables");
	u64 parent ABSENT(0) DOC("id of the parent cgroup; none for the root");
	u32 depth ABSENT(-1) DOC("number of cgroups above it; 0 is the root");
	bool populated ABSENT(-1) DOC("whether there are processes in it or below, as in cgroup.events");
	bool threaded ABSENT(-1) DOC("whether it is threaded, as in cgroup.type");
	bool freeze ABSENT(-1) DOC("whether it should be frozen, as in cgroup.freeze");
	bool frozen ABSENT(-1) DOC("whether everything in it is frozen, as in cgroup.events");
	u32 descendants ABSENT(-1) DOC("number of cgroups below it");
	u32 dying ABSENT(-1) DOC("number of removed cgroups below it that are still referenced");
	u32 tasks ABSENT(-1) DOC("number of threads in the cgroup itself");
	nanoseconds_t cpu_time COUNTER ABSENT(-1)
		DOC("processor time used in it and below it, as in cpu.stat; none for the root");
	pages_t memory ABSENT(-1)
		DOC("memory used in it and below, as in memory.current; none without that controller");
	pages_t memory_max ABSENT(-1)
		DOC("limit of that memory, as in memory.max; none without a limit");
	tail_length_t path_length;
	char path[] DOC("path from the root of the hierarchy");
};

#define NONE ((u64)-1)
/* Threads share css_sets. A cgroup has one for each combination with v1 cgroups. */
#define MAX_CSS_SETS (1024 * 1024)
/* include/linux/cgroup-defs.h, from enums without a name. */
#define CGRP_FROZEN 3
#define CSS_ONLINE 0x2
#define CSS_VISIBLE 0x8
/*
 * No limit is LONG_MAX bytes (include/linux/page_counter.h, PAGE_COUNTER_MAX), counted in
 * pages of at most 64 KiB.
 */
#define UNLIMITED (~0UL >> 1 >> 16)

/* Since 6.16 per controller; before, per cgroup (kernel/cgroup/rstat.c). */
extern void css_rstat_flush(struct cgroup_subsys_state *css) __ksym __weak;
extern void cgroup_rstat_flush(struct cgroup *cgrp) __ksym __weak;

/*
 * Whether this walk shows a cgroup. The kernel cannot continue a walk whose buffer is
 * full, so the daemon starts another and tells it where to resume. Of the cgroup to
 * resume at, the program writes the id alone, to say that it still exists.
 */
static __always_inline bool is_wanted(struct cgroup_walk *walk, struct seq_file *seq, u64 id,
				      u32 level)
{
	if (!walk->budget)
		return false;
	if (walk->above && level >= walk->above)
		return false;
	if (!walk->at)
		return true;
	if (id == walk->at) {
		walk->met = level + 1;
		bpf_seq_write(seq, &id, sizeof(id));
		return false;
	}
	/* Skip everything before it, and the children that were shown already. */
	if (!walk->met || level > walk->met || (level == walk->met && id <= walk->after))
		return false;
	walk->at = 0;
	return true;
}

/* Whether there is room for a row with a path of this length; ends the walk if not. */
static __always_inline bool takes_room(struct cgroup_walk *walk, u32 length)
{
	u32 size = __builtin_offsetof(struct cgroup_row, path) + length;

	if (text_mode)
		return true;
	if (size > walk->budget) {
		walk->budget = 0;
		return false;
	}
	walk->budget -= size;
	return true;
}

/* A walk along the css_sets of a cgroup. */
struct css_set_walk {
	struct cgroup *cgrp;
	struct list_head *node, *head;
	u32 tasks;
	bool complete;
};

/* Adds the threads of a css_set; true after the last. */
static __noinline bool add_css_set(struct css_set_walk *walk)
{
	struct cgrp_cset_link *link;
	struct list_head *next;
	u32 tasks;

	if (!walk)
		return true;
	if (walk->node == walk->head) {
		walk->complete = true;
		return true;
	}
	link = OWNER(walk->node, struct cgrp_cset_link, cset_link);
	if (!link || !HAS(link, cgrp) || !HAS(link, cset, nr_tasks) || !HAS(link, cset_link.next))
		return true;
	tasks = READ(link, cset, nr_tasks);
	next = READ(link, cset_link.next);
	/*
	 * A program cannot take the lock of this list. If the link has been freed
	 * meanwhile, it no longer points to this cgroup, and what was read is invalid.
	 */
	if (READ(link, cgrp) != walk->cgrp)
		return true;
	walk->tasks += tasks;
	walk->node = next;
	return false;
}

/* The threads in the cgroup itself; all ones if they cannot be counted. */
static __always_inline u32 count_tasks(struct cgroup *cgrp)
{
	struct css_set_walk walk = {
		.cgrp = cgrp,
		.node = READ(cgrp, cset_links.next),
		.head = ADDRESS(cgrp, cset_links),
	};

	if (!HAS(cgrp, cset_links.next))
		return (u32)NONE;
	repeat(MAX_CSS_SETS, 32, add_css_set(&walk));
	return walk.complete ? walk.tasks : (u32)NONE;
}

/*
 * The processor time of a cgroup and those below it; all ones if the kernel does not
 * tell. The kernel adds up the counts of its processors when it is asked to. A type
 * tells whether the older function exists: before 6.4 bpf_ksym_exists() cannot.
 */
static __always_inline u64 cpu_time_of(struct cgroup *cgrp)
{
	if (!HAS(cgrp, bstat.cputime.sum_exec_runtime))
		return NONE;
	/* A cgroup begins with its own state (include/linux/cgroup-defs.h). */
	if (bpf_ksym_exists(css_rstat_flush) && HAS(cgrp, self))
		css_rstat_flush(&cgrp->self);
	else if (bpf_core_type_exists(struct cgroup_rstat_cpu))
		cgroup_rstat_flush(cgrp);
	else
		return NONE;
	return READ(cgrp, bstat.cputime.sum_exec_runtime);
}

/* The memory controller's state of a cgroup; NULL if the controller is not enabled there. */
static __always_inline struct mem_cgroup *memory_of(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css = NULL;
	void *at;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id) ||
	    !HAS(cgrp, subsys) || !HAS(css, cgroup) || !HAS(css, flags))
		return NULL;
	/* The index is relocated and not a constant in the source, so count in bytes. */
	at = ADDRESS(cgrp, subsys) +
	     bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), at);
	if (!css || READ(css, cgroup) != cgrp)
		return NULL;
	/* A controller that another one depends on has a state, but no files. */
	if ((READ(css, flags) & (CSS_ONLINE | CSS_VISIBLE)) != (CSS_ONLINE | CSS_VISIBLE))
		return NULL;
	return OWNER(css, struct mem_cgroup, css);
}

/* Fills the columns of the memory controller. */
static __always_inline void read_memory(struct cgroup_row *row, struct cgroup *cgrp)
{
	struct mem_cgroup *memory = memory_of(cgrp);
	u64 max;

	if (!memory)
		return;
	SET_READ(row->memory, memory, memory.usage.counter);
	max = READ(memory, memory.max);
	if (HAS(memory, memory.max) && max < UNLIMITED)
		row->memory_max = max;
}

/*
 * Fills the column `populated`, from the counts of the cgroup's own css_sets and of its
 * populated children. Since 7.2 they are in its cgroup_subsys_state.
 */
static __always_inline void read_populated(struct cgroup_row *row, struct cgroup *cgrp)
{
	struct cgroup___own_csets *old = (void *)cgrp;

	if (HAS(cgrp, self.nr_populated_csets) && HAS(cgrp, self.nr_populated_children))
		row->populated = READ(cgrp, self.nr_populated_csets) +
				 READ(cgrp, self.nr_populated_children);
	else if (HAS(old, nr_populated_csets) && HAS(cgrp, nr_populated_domain_children) &&
		 HAS(cgrp, nr_populated_threaded_children))
		row->populated = READ(old, nr_populated_csets) +
				 READ(cgrp, nr_populated_domain_children) +
				 READ(cgrp, nr_populated_threaded_children);
	else
		UNSET(row->populated);
}

SEC("iter.s/cgroup")
int dump_cgroups(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	struct seq_file *seq = begin_rows(ctx->meta, cgrp);
	struct reader *reader = current_reader();
	struct question *question = current_question();
	struct kernfs_node *node, *parent;
	struct cgroup_walk *walk;
	struct cgroup_row row = {};
	u32 length = 0;

	if (!reader)
		return cgrp ? WITHOUT_READER : 0;
	/* Without ids cgroups cannot be told apart, and a walk cannot resume. */
	if (cgrp && !HAS(cgrp, kn, id))
		return 0;
	walk = &reader->walk;
	if (!cgrp) {
		/* All rows had room: an id of 0 tells the daemon that nothing is left. */
		if (walk->budget && !text_mode)
			bpf_seq_write(seq, &row.id, sizeof(row.id));
		return 0;
	}
	node = READ(cgrp, kn);
	row.id = READ(node, id);
	SET_READ(row.depth, cgrp, level);
	/* A pin is read in one walk, which shows every cgroup. */
	if (!text_mode && !is_wanted(walk, seq, row.id, row.depth))
		return 0;

	if (!asking) {
		length = walk_kernfs(reader, node);
		if (!takes_room(walk, length))
			return 0;
	}

	read_populated(&row, cgrp);
	if (HAS(cgrp, dom_cgrp))
		row.threaded = READ(cgrp, dom_cgrp) != cgrp;
	else
		UNSET(row.threaded);
	SET_READ(row.freeze, cgrp, freezer.freeze);
	if (HAS(cgrp, flags))
		row.frozen = READ(cgrp, flags) >> CGRP_FROZEN & 1;
	else
		UNSET(row.frozen);
	SET_READ(row.descendants, cgrp, nr_descendants);
	SET_READ(row.dying, cgrp, nr_dying_descendants);
	row.tasks = (u32)NONE;
	if (WANTS(question, &row, tasks))
		row.tasks = count_tasks(cgrp);
	row.cpu_time = row.memory = row.memory_max = NONE;
	parent = parent_of_node(node);
	/* The root has no such files, and its fields hold something else. */
	if (parent) {
		row.parent = READ(parent, id);
		if (WANTS(question, &row, cpu_time))
			row.cpu_time = cpu_time_of(cgrp);
		read_memory(&row, cgrp);
	}

	if (asking) {
		if (!keeps_before(question, &row, path))
			return 0;
		if (WANTS(question, &row, path))
			length = walk_kernfs(reader, node);
		row.path_length = length;
		/* Rows that are not written take no room. */
		if (!keeps_row(&row, reader->record + IN_PATH(reader->path_start), length) ||
		    !takes_room(walk, length))
			return 0;
	}
	row.path_length = length;
	write_row_with_path(seq, &row, path, reader, length);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

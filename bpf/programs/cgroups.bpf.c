// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "kernfs.h"
#include "row.h"

struct ROW("a cgroup of the unified hierarchy") cgroup_row {
	u64 id DOC("its id, as the column cgroup of other tables: its directory's inode number");
	u64 parent ABSENT(0) DOC("id of the cgroup it lies in; none for the root");
	u32 depth DOC("how many cgroups it lies below; 0 is the root");
	bool populated DOC("whether a process is in it or below, as in cgroup.events");
	bool threaded DOC("whether it holds threads of a domain above, as cgroup.type says");
	bool freeze DOC("whether it was told to freeze, as in cgroup.freeze");
	bool frozen DOC("whether all in it is frozen, as in cgroup.events");
	u32 descendants DOC("number of cgroups below it");
	u32 dying DOC("number of removed ones below it that something still holds on to");
	u32 tasks ABSENT(-1) DOC("number of threads in the cgroup itself");
	nanoseconds_t cpu_time ABSENT(-1)
		DOC("processor time used in it and below, as in cpu.stat; none for the root");
	pages_t memory ABSENT(-1)
		DOC("memory used in it and below, as memory.current; none without that controller");
	pages_t memory_max ABSENT(-1)
		DOC("how much that may be, as memory.max; none without a limit");
	tail_length_t path_length;
	char path[] DOC("path from the root of the hierarchy");
};

#define NONE ((u64)-1)
/* Threads share css_sets, of which a cgroup has one a combination of v1 cgroups. */
#define MAX_CSS_SETS (1024 * 1024)
/* include/linux/cgroup-defs.h, enums without a name. */
#define CGRP_FROZEN 3
#define CSS_ONLINE 0x2
#define CSS_VISIBLE 0x8
/*
 * No limit is LONG_MAX bytes (page_counter.h, PAGE_COUNTER_MAX), in pages of
 * at most 64 KiB.
 */
#define UNLIMITED (~0UL >> 1 >> 16)

/* Since 6.16 a controller's; before, the cgroup's (kernel/cgroup/rstat.c). */
extern void css_rstat_flush(struct cgroup_subsys_state *css) __ksym __weak;
extern void cgroup_rstat_flush(struct cgroup *cgrp) __ksym __weak;

/*
 * Whether this walk is to show a cgroup. The kernel cannot go on with a walk
 * whose buffer is full, so the daemon walks again and tells where it was. Of
 * the cgroup below which it goes on, the id alone is written: it is there still.
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
	/* Passed over: all before it, and of those below it the older ones. */
	if (!walk->met || level > walk->met || (level == walk->met && id <= walk->after))
		return false;
	walk->at = 0;
	return true;
}

/* A walk along the css_sets of a cgroup. */
struct css_set_walk {
	struct cgroup *cgrp;
	struct list_head *node, *head;
	u32 tasks;
	bool complete;
};

static __noinline bool add_css_set(struct css_set_walk *walk)
{
	struct cgrp_cset_link *link;

	if (!walk)
		return true;
	if (walk->node == walk->head) {
		walk->complete = true;
		return true;
	}
	link = (void *)walk->node - bpf_core_field_offset(struct cgrp_cset_link, cset_link);
	/* Their lock is not ours to take: one that has just gone is no link any more. */
	if (BPF_CORE_READ(link, cgrp) != walk->cgrp)
		return true;
	walk->tasks += BPF_CORE_READ(link, cset, nr_tasks);
	walk->node = BPF_CORE_READ(link, cset_link.next);
	return false;
}

static __always_inline u32 count_tasks(struct cgroup *cgrp)
{
	struct css_set_walk walk = {
		.cgrp = cgrp,
		.node = BPF_CORE_READ(cgrp, cset_links.next),
		.head = (void *)cgrp + bpf_core_field_offset(cgrp->cset_links),
	};

	repeat(MAX_CSS_SETS, 32, add_css_set(&walk));
	return walk.complete ? walk.tasks : (u32)NONE;
}

/*
 * What the processors have counted is added up when it is asked for. The older
 * function is known by its data: before 6.4 it cannot be asked whether one that
 * is there exists.
 */
static __always_inline u64 cpu_time_of(struct cgroup *cgrp)
{
	if (bpf_ksym_exists(css_rstat_flush))
		css_rstat_flush(&cgrp->self);
	else if (bpf_core_type_exists(struct cgroup_rstat_cpu))
		cgroup_rstat_flush(cgrp);
	else
		return NONE;
	return BPF_CORE_READ(cgrp, bstat.cputime.sum_exec_runtime);
}

/* The memory controller's part of a cgroup; NULL if it is not enabled for it. */
static __always_inline struct mem_cgroup *memory_of(struct cgroup *cgrp)
{
	struct cgroup_subsys_state *css = NULL;
	void *at;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return NULL;
	/* The kernel's index into the array is relocated, so it goes by bytes. */
	at = (void *)cgrp + bpf_core_field_offset(struct cgroup, subsys) +
	     bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), at);
	if (!css || BPF_CORE_READ(css, cgroup) != cgrp)
		return NULL;
	/* One that another controller needs is there, but has no files. */
	if ((BPF_CORE_READ(css, flags) & (CSS_ONLINE | CSS_VISIBLE)) != (CSS_ONLINE | CSS_VISIBLE))
		return NULL;
	return (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
}

static __always_inline void read_memory(struct cgroup_row *row, struct cgroup *cgrp)
{
	struct mem_cgroup *memory = memory_of(cgrp);
	u64 max;

	if (!memory)
		return;
	row->memory = BPF_CORE_READ(memory, memory.usage.counter);
	max = BPF_CORE_READ(memory, memory.max);
	if (max < UNLIMITED)
		row->memory_max = max;
}

SEC("iter.s/cgroup")
int dump_cgroups(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	struct seq_file *seq = begin_rows(ctx->meta, cgrp);
	struct reader *reader = current_reader();
	struct kernfs_node *node, *parent;
	struct cgroup_walk *walk;
	struct cgroup_row row = {};
	u32 length, size;

	if (!reader)
		return cgrp ? WITHOUT_READER : 0;
	walk = &reader->walk;
	if (!cgrp) {
		/* An id of 0 where there was room for all: nothing is left to show. */
		if (walk->budget && !text_mode)
			bpf_seq_write(seq, &row.id, sizeof(row.id));
		return 0;
	}
	node = BPF_CORE_READ(cgrp, kn);
	row.id = BPF_CORE_READ(node, id);
	row.depth = BPF_CORE_READ(cgrp, level);
	/* A pin is read in one walk, by whoever: it shows all that it meets. */
	if (!text_mode && !is_wanted(walk, seq, row.id, row.depth))
		return 0;

	length = walk_kernfs(reader, node);
	size = __builtin_offsetof(struct cgroup_row, path) + length;
	if (!text_mode) {
		if (size > walk->budget) {
			walk->budget = 0;
			return 0;
		}
		walk->budget -= size;
	}

	row.populated = BPF_CORE_READ(cgrp, nr_populated_csets) +
			BPF_CORE_READ(cgrp, nr_populated_domain_children) +
			BPF_CORE_READ(cgrp, nr_populated_threaded_children);
	row.threaded = BPF_CORE_READ(cgrp, dom_cgrp) != cgrp;
	row.freeze = BPF_CORE_READ(cgrp, freezer.freeze);
	row.frozen = BPF_CORE_READ(cgrp, flags) >> CGRP_FROZEN & 1;
	row.descendants = BPF_CORE_READ(cgrp, nr_descendants);
	row.dying = BPF_CORE_READ(cgrp, nr_dying_descendants);
	row.tasks = count_tasks(cgrp);
	row.cpu_time = row.memory = row.memory_max = NONE;
	parent = parent_of_node(node);
	/* The root's files do not say, and what its fields hold is not that. */
	if (parent) {
		row.parent = BPF_CORE_READ(parent, id);
		row.cpu_time = cpu_time_of(cgrp);
		read_memory(&row, cgrp);
	}

	row.path_length = length;
	write_row_with_path(seq, &row, path, reader, length);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

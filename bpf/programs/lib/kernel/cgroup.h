/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Cgroups, and the kernfs nodes that are their directories. */
#ifndef ITERFS_KERNEL_CGROUP_H
#define ITERFS_KERNEL_CGROUP_H

#include "types.h"

/* The controllers; their numbers depend on the kernel's configuration. */
enum cgroup_subsys_id { memory_cgrp_id };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};

/* Before 6.15. */
struct kernfs_node___parent {
	struct kernfs_node *parent;
};

/* Since 7.2 this counts populated css_sets and children; before, struct cgroup does. */
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	unsigned int flags;
	int nr_populated_csets;
	int nr_populated_children;
};

struct task_cputime {
	unsigned long long sum_exec_runtime;
};

struct cgroup_base_stat {
	struct task_cputime cputime;
};

struct cgroup_freezer_state {
	bool freeze;
};

/* Before 6.16; its presence tells which function flushes the counters. */
struct cgroup_rstat_cpu {
	struct cgroup *updated_next;
};

struct cgroup {
	struct cgroup_subsys_state self;
	unsigned long flags;
	int level;
	int nr_descendants;
	int nr_dying_descendants;
	int nr_populated_domain_children;
	int nr_populated_threaded_children;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[1];
	struct list_head cset_links;
	struct cgroup *dom_cgrp;
	struct cgroup_base_stat bstat;
	struct cgroup_freezer_state freezer;
};

/* Before 7.2. */
struct cgroup___own_csets {
	int nr_populated_csets;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	int nr_tasks;
};

struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct css_set *cset;
	struct list_head cset_link;
};

struct page_counter {
	atomic64_t usage;
	unsigned long max;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};

#pragma clang attribute pop

#endif

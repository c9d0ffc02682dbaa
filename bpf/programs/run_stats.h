/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How long and how often a program has run: counters on each processor.
 *
 * No program may follow a pointer into another processor's memory, but where that
 * lies is the same for all of it: as far from where an element of a map of our
 * own is on that processor as from where the map says its elements are.
 */
#ifndef ITERFS_RUN_STATS_H
#define ITERFS_RUN_STATS_H

#include "loop.h"
#include "row.h"

/* As many processors as Linux may be built for (x86, NR_CPUS_RANGE_END). */
#define MAX_PROCESSORS 8192

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} processors SEC(".maps");

/* The sums; all ones where they cannot be had. */
struct run_stats {
	u64 nanoseconds, runs;
};

struct stats_walk {
	struct run_stats sum;
	struct bpf_prog_stats *stats;
	u64 base;
	u32 processor;
};

/* A pointer as a number: the verifier would not let it be taken as far as it must be. */
static __always_inline u64 as_number(const void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* Adds a processor's counters; true after the last. */
static __noinline bool add_processor(struct stats_walk *walk)
{
	struct bpf_prog_stats *there;
	u64 runs = 0, nanoseconds = 0;
	u64 *element;
	u32 first = 0;

	if (!walk)
		return true;
	element = bpf_map_lookup_percpu_elem(&processors, &first, walk->processor);
	if (!element)
		return true;
	there = (void *)walk->stats + (as_number(element) - walk->base);
	bpf_probe_read_kernel(&runs, sizeof(runs), ADDRESS(there, cnt));
	bpf_probe_read_kernel(&nanoseconds, sizeof(nanoseconds), ADDRESS(there, nsecs));
	walk->sum.runs += runs;
	walk->sum.nanoseconds += nanoseconds;
	walk->processor++;
	return false;
}

static __always_inline struct run_stats run_stats_of(struct bpf_prog *prog)
{
	const struct run_stats unknown = { -1, -1 };
	struct stats_walk walk = {};
	struct bpf_array *array;

	/* Since 5.19; but a loop over all processors only since 6.4. */
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_map_lookup_percpu_elem) ||
	    !bpf_ksym_exists(bpf_iter_num_new))
		return unknown;
	if (!HAS(prog, stats) || !bpf_core_field_exists(walk.stats->cnt) ||
	    !bpf_core_field_exists(walk.stats->nsecs) || !HAS(array, pptrs[0]))
		return unknown;
	walk.stats = PROBE(prog, stats);
	array = (void *)as_number(&processors);
	walk.base = (u64)PROBE(array, pptrs[0]);
	return repeat(MAX_PROCESSORS, 1, add_processor(&walk)) ? walk.sum : unknown;
}

#endif

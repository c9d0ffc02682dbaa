/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How often and for how long a program has run. Each processor has its own counters.
 *
 * A program cannot turn a per-cpu pointer into the address on another processor. But the
 * distance between the two is the same for all per-cpu memory. Our own per-cpu map gives
 * both: the address of its element on that processor, by a helper, and the per-cpu
 * pointer of the element, from the map itself.
 */
#ifndef ITERFS_RUN_STATS_H
#define ITERFS_RUN_STATS_H

#include "kernel/bpf.h"
#include "loop.h"
#include "read.h"

/* The most processors that Linux can be built for (x86, NR_CPUS_RANGE_END). */
#define MAX_PROCESSORS 8192

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} processors SEC(".maps");

/* Sums over all processors; all ones if the kernel does not tell. */
struct run_stats {
	u64 nanoseconds, runs;
};

struct stats_walk {
	struct run_stats sum;
	struct bpf_prog_stats *stats;
	u64 base;
	u32 processor;
};

/* A pointer as a number, on which the verifier allows any arithmetic. */
static __always_inline u64 as_number(const void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* Adds the counters of a processor; true after the last. */
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

	/* The helper exists since 5.19, a loop over all processors since 6.4. */
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

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a field is read through a pointer that the verifier does not know as one to
 * a kernel's struct, or not on every kernel.
 *
 * BPF_CORE_READ() calls a helper for each step. Since 6.2 a pointer can be said to
 * be one to a struct, and then each step is a single load. Both give 0 where
 * nothing can be read.
 *
 * Where the verifier knows a pointer (an iterator's object, and what it leads to),
 * plain `pointer->field` is that load on every kernel.
 */
#ifndef ITERFS_READ_H
#define ITERFS_READ_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* pointer->a->b->c of READ(pointer, a, b, c); the last may not be an array or a bit field. */
#define READ(pointer, ...)                                                                         \
	({                                                                                         \
		typeof(pointer) read_from = (pointer);                                             \
		___type((pointer), __VA_ARGS__) read_value;                                        \
		if (bpf_ksym_exists(bpf_rdonly_cast)) {                                            \
			read_from = bpf_rdonly_cast(read_from,                                     \
						 bpf_core_type_id_kernel(typeof(*(pointer))));     \
			read_value = ___arrow(read_from, __VA_ARGS__);                             \
		} else {                                                                           \
			BPF_CORE_READ_INTO(&read_value, read_from, __VA_ARGS__);                   \
		}                                                                                  \
		read_value;                                                                        \
	})

#define NAME_SIZE 16

/*
 * Copies a name of 16 bytes, as a task's, by words: the compiler cannot know how it is
 * aligned in the kernel, and would copy it byte by byte.
 */
static __always_inline void copy_name(char *to, const char *from)
{
	const __u64 *words = (const void *)from;
	__u64 name[2] = { words[0], words[1] };

	__builtin_memcpy(to, name, NAME_SIZE);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How programs read the kernel's fields, so that a field the running kernel lacks
 * costs one column and not the table.
 *
 * libbpf replaces an access to a missing field with an instruction that the
 * verifier refuses, if it is ever reached. So every access here asks first whether
 * the field exists. The answer is a constant when the program is loaded: the
 * verifier drops the other branch, and a row pays nothing.
 *
 *	FIELD(pointer, a, b)	pointer->a->b by plain loads, through a pointer that
 *				the verifier knows: an iterator's object, and where
 *				its fields lead
 *	READ(pointer, a, b)	the same through any pointer
 *
 * Both give 0 if a field is missing or cannot be read. A column for which 0 would
 * be a lie uses
 *
 *	SET(column, pointer, a, b), SET_READ(column, pointer, a, b)
 *
 * which store all ones where a field is missing; the row declares ABSENT(-1).
 */
#ifndef ITERFS_READ_H
#define ITERFS_READ_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* Whether the kernel has each field of pointer->a->b->c: HAS(pointer, a, b, c). */
#define HAS(pointer, ...) (___apply(___has, ___narg(__VA_ARGS__))(pointer, __VA_ARGS__))
#define ___has1(p, a) bpf_core_field_exists(typeof(*(p)), a)
#define ___has2(p, a, b) (___has1(p, a) && bpf_core_field_exists(typeof(*(p)->a), b))
#define ___has3(p, a, b, c) (___has2(p, a, b) && bpf_core_field_exists(typeof(*(p)->a->b), c))
#define ___has4(p, a, b, c, d)                                                                     \
	(___has3(p, a, b, c) && bpf_core_field_exists(typeof(*(p)->a->b->c), d))

#define FIELD(pointer, ...) (HAS(pointer, __VA_ARGS__) ? ___arrow((pointer), __VA_ARGS__) : 0)

/*
 * BPF_CORE_READ() calls a helper for each step. Since 6.2 a pointer can be said to
 * be one to a struct, and then each step is a single load. The last field may not
 * be an array or a bit field.
 */
#define READ(pointer, ...)                                                                         \
	({                                                                                         \
		typeof(pointer) read_from = (pointer);                                             \
		___type((pointer), __VA_ARGS__) read_value = 0;                                    \
		if (HAS(pointer, __VA_ARGS__)) {                                                   \
			if (bpf_ksym_exists(bpf_rdonly_cast)) {                                    \
				read_from = bpf_rdonly_cast(                                       \
					read_from, bpf_core_type_id_kernel(typeof(*(pointer))));   \
				read_value = ___arrow(read_from, __VA_ARGS__);                     \
			} else {                                                                   \
				BPF_CORE_READ_INTO(&read_value, read_from, __VA_ARGS__);           \
			}                                                                          \
		}                                                                                  \
		read_value;                                                                        \
	})

/*
 * The same by the helper alone: for fields that the verifier does not believe in, as
 * those of a struct in a union, or beyond the end that a struct is declared with.
 */
#define PROBE(pointer, ...)                                                                        \
	({                                                                                         \
		___type((pointer), __VA_ARGS__) probed = 0;                                        \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			BPF_CORE_READ_INTO(&probed, (pointer), __VA_ARGS__);                       \
		probed;                                                                            \
	})

/* Marks a column as one that this kernel cannot fill: its ABSENT(-1), of any type. */
#define UNSET(column) __builtin_memset(&(column), 0xff, sizeof(column))

#define SET(column, pointer, ...)                                                                  \
	({                                                                                         \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			(column) = (typeof(column))___arrow((pointer), __VA_ARGS__);               \
		else                                                                               \
			UNSET(column);                                                             \
	})

#define SET_READ(column, pointer, ...)                                                             \
	({                                                                                         \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			(column) = (typeof(column))READ(pointer, __VA_ARGS__);                     \
		else                                                                               \
			UNSET(column);                                                             \
	})

/* The address of pointer->field, for an array or a struct; NULL if it is missing. */
#define ADDRESS(pointer, field)                                                                    \
	(HAS(pointer, field) ? (void *)(pointer) + bpf_core_field_offset(typeof(*(pointer)), field) \
			     : (void *)0)

/* The struct of which a pointer points to the field. 0 if that is missing. */
#define OWNER(pointer, type, field)                                                                \
	(bpf_core_field_exists(type, field)                                                        \
		 ? (type *)((void *)(pointer)-bpf_core_field_offset(type, field))                  \
		 : (type *)0)

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

/* Copies the name pointer->field, or leaves it empty where the kernel has none. */
#define COPY_NAME(to, pointer, ...)                                                                \
	({                                                                                         \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			copy_name(to, ___arrow((pointer), __VA_ARGS__));                           \
	})

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the kernel's fields. A field that the running kernel lacks costs one column,
 * not the table.
 *
 * libbpf replaces an access to a missing field by an invalid instruction, which the
 * verifier refuses if the program can reach it. So every access here first asks whether
 * the field exists. The answer is a constant when the program is loaded: the verifier
 * drops the other branch, and the check costs nothing at run time.
 *
 *	FIELD(pointer, a, b)	pointer->a->b by plain loads. The verifier must know the
 *				pointer: an iterator's object, or one that its fields
 *				lead to.
 *	READ(pointer, a, b)	the same through any pointer
 *
 * Both give 0 if a field is missing or cannot be read. Where 0 would be wrong, use
 *
 *	SET(column, pointer, a, b), SET_READ(column, pointer, a, b)
 *
 * which store all ones if a field is missing. The row declares the column ABSENT(-1).
 */
#ifndef ITERFS_READ_H
#define ITERFS_READ_H

#include "kernel/types.h"

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
 * BPF_CORE_READ() calls a helper for each step. Since 6.2 bpf_rdonly_cast() gives a
 * pointer the type of a struct, and then each step is a single load. The last field
 * must not be an array or a bit field.
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
 * The same, always by the helper: for fields that the verifier does not accept, such as
 * those of a struct in a union, or beyond the declared end of a struct.
 */
#define PROBE(pointer, ...)                                                                        \
	({                                                                                         \
		___type((pointer), __VA_ARGS__) probed = 0;                                        \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			BPF_CORE_READ_INTO(&probed, (pointer), __VA_ARGS__);                       \
		probed;                                                                            \
	})

/* Stores the ABSENT(-1) of a column of any type: the kernel does not have the value. */
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

/* The struct whose field the pointer points to; NULL if the kernel lacks the field. */
#define OWNER(pointer, type, field)                                                                \
	(bpf_core_field_exists(type, field)                                                        \
		 ? (type *)((void *)(pointer)-bpf_core_field_offset(type, field))                  \
		 : (type *)0)

#define NAME_SIZE 16

/*
 * Copies a name of 16 bytes, such as a task's, by words. The compiler does not know the
 * kernel's alignment and would copy it byte by byte.
 */
static __always_inline void copy_name(char *to, const char *from)
{
	const __u64 *words = (const void *)from;
	__u64 name[2] = { words[0], words[1] };

	__builtin_memcpy(to, name, NAME_SIZE);
}

/* Copies the name pointer->field; leaves `to` empty if the kernel lacks the field. */
#define COPY_NAME(to, pointer, ...)                                                                \
	({                                                                                         \
		if (HAS(pointer, __VA_ARGS__))                                                     \
			copy_name(to, ___arrow((pointer), __VA_ARGS__));                           \
	})

#endif

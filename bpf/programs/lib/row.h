/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How our own programs declare and write rows: as user programs do (iterfs/row.h), with
 * some additions.
 *
 * A member that is a struct stands for the columns of that struct, so that tables can
 * share them.
 *
 * The columns of a map's key and value are known from the map's BTF alone. A member of
 * type `map_key_t` or `map_value_t` marks their place among the columns and takes no
 * room. The program writes the bytes of the key after the struct, and then those of the
 * value.
 *
 * In text mode (text.h) the program prints the row instead. In the asking form
 * (question.h) a row that the question does not keep is not written.
 */
#ifndef ITERFS_ROW_H
#define ITERFS_ROW_H

#include "question.h"
#include "read.h"
#include "text.h"

typedef u8 map_key_t[0];   /* the columns of a map's key */
typedef u8 map_value_t[0]; /* the columns of a map's value */

/* The type id keeps the struct in the object's BTF, even if nothing else refers to it. */
#define keep_type(row)                                                                             \
	({                                                                                         \
		u32 id = bpf_core_type_id_local(typeof(*(row)));                                   \
		asm volatile("" ::"r"(id));                                                        \
	})

/* Writes a row without a string at its end. */
#define write_row(seq, row, size)                                                                  \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (asking && !keeps_row((row), NULL, 0))                                          \
			;                                                                          \
		else if (text_mode)                                                                \
			print_row((seq), (row), NULL, 0);                                          \
		else                                                                               \
			bpf_seq_write((seq), (row), (size));                                       \
	})

/* Writes a row that ends in a string of `length` bytes, which is in its last member. */
#define write_row_and_tail(seq, row, member, length)                                               \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (asking && !keeps_row((row), (row)->member, (length)))                          \
			;                                                                          \
		else if (text_mode)                                                                \
			print_row((seq), (row), (row)->member, (length));                          \
		else                                                                               \
			bpf_seq_write((seq), (row),                                                \
				      __builtin_offsetof(typeof(*(row)), member) + (length));      \
	})

/* The same, but the string for the last member is at `tail`. */
#define write_row_with_tail(seq, row, member, tail, length)                                        \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (asking && !keeps_row((row), (tail), (length))) {                               \
			;                                                                          \
		} else if (text_mode) {                                                            \
			print_row((seq), (row), (tail), (length));                                 \
		} else {                                                                           \
			bpf_seq_write((seq), (row), __builtin_offsetof(typeof(*(row)), member));   \
			if (length)                                                                \
				bpf_seq_write((seq), (tail), (length));                            \
		}                                                                                  \
	})

#include "../iterfs/row.h"

#endif

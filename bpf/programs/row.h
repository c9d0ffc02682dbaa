/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a row of a program of ours is declared and written: as anybody's
 * (iterfs/row.h), and with what only ours have.
 *
 * A member that is a struct itself stands for that struct's columns.
 *
 * What a map holds only the map's own BTF tells. A member of type `map_key_t` or
 * `map_value_t` takes no room; it says where those columns stand. The program
 * writes the key's bytes after the struct, and the value's after those.
 *
 * In text mode (text.h) the same rows are printed instead.
 */
#ifndef ITERFS_ROW_H
#define ITERFS_ROW_H

#include "kernel.h"
#include "text.h"

typedef u8 map_key_t[0];   /* the columns of a map's key */
typedef u8 map_value_t[0]; /* the columns of a map's value */

/* The type id keeps the struct in the object's BTF even where nothing else would. */
#define keep_type(row)                                                                             \
	({                                                                                         \
		u32 id = bpf_core_type_id_local(typeof(*(row)));                                   \
		asm volatile("" ::"r"(id));                                                        \
	})

/* Writes a row, which all columns are in. */
#define write_row(seq, row, size)                                                                  \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (text_mode)                                                                     \
			print_row((seq), (row), NULL, 0);                                          \
		else                                                                               \
			bpf_seq_write((seq), (row), (size));                                       \
	})

/* Writes a row that ends in a string: in its last member there are so many bytes. */
#define write_row_and_tail(seq, row, member, length)                                               \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (text_mode)                                                                     \
			print_row((seq), (row), (row)->member, (length));                          \
		else                                                                               \
			bpf_seq_write((seq), (row),                                                \
				      __builtin_offsetof(typeof(*(row)), member) + (length));      \
	})

/* The same, but the string lies elsewhere: what the last member is to be. */
#define write_row_with_tail(seq, row, member, tail, length)                                        \
	({                                                                                         \
		keep_type(row);                                                                    \
		if (text_mode) {                                                                   \
			print_row((seq), (row), (tail), (length));                                 \
		} else {                                                                           \
			bpf_seq_write((seq), (row), __builtin_offsetof(typeof(*(row)), member));   \
			if (length)                                                                \
				bpf_seq_write((seq), (tail), (length));                            \
		}                                                                                  \
	})

#include "iterfs/row.h"

#endif

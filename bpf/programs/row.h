/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a row is declared. The struct is the schema: the daemon reads its BTF
 * and knows each column's name, place, type, meaning and how it is shown.
 *
 *	struct ROW("a process") process {
 *		u32 pid DOC("process id");
 *		bytes_t rss DOC("resident memory");
 *	};
 *
 * A struct may end in one string of any length (`char path[]`), whose size the
 * program puts into a member of type `tail_length_t`. A member that is a struct
 * itself stands for that struct's columns.
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

/* Marks the struct that a program writes, and says what one row is. */
#define ROW(text) __attribute__((btf_decl_tag("row:" text)))
/* Says what a column means; `iterfs columns` and docs/TABLES.md print it. */
#define DOC(text) __attribute__((btf_decl_tag("doc:" text)))
/* The value that means "there is none": null in JSON, `-` in text. */
#define ABSENT(value) __attribute__((btf_decl_tag("absent:" #value)))
/* On a member of an enum type: a set of the enum's bits, not one value. */
#define FLAGS __attribute__((btf_decl_tag("flags")))

/*
 * How a column is shown, where its C type does not say. Enumerators are shown
 * by what follows their `__`.
 */
typedef u64 bytes_t;	   /* a size in bytes */
typedef u64 pages_t;	   /* memory in pages, shown in bytes */
typedef u64 nanoseconds_t; /* a duration, or a time since boot */
typedef u32 device_t;	   /* a kernel dev_t, shown major:minor */
typedef u32 hex_t;	   /* a bit mask, shown 0x... */
typedef u64 address_t;	   /* an address in a process's memory, shown 0x... */
typedef u8 ipv6_t[16];	   /* an IPv6 address in network order */
typedef u8 inet_t[17];	   /* 4 or 6, and an address of that family; 0 if none */
typedef u8 hash_t[8];	   /* bytes, shown in hexadecimal */
typedef u16 tail_length_t; /* bytes in the string at the row's end; no column */
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

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How a row is declared. The struct is the schema: the daemon reads its BTF
 * and knows each column's name, place, type, meaning and how it is shown.
 *
 *	struct ROW("a process") process {
 *		__u32 pid DOC("process id");
 *		bytes_t rss DOC("resident memory");
 *	};
 *
 * A struct may end in one string of any length (`char path[]`), whose size the
 * program puts into a member of type `tail_length_t`.
 *
 * It takes the kernel's __u8 to __u64 from whatever was included before:
 * vmlinux.h or <linux/bpf.h>.
 */
#ifndef ITERFS_PUBLIC_ROW_H
#define ITERFS_PUBLIC_ROW_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Marks the struct that a program writes, and says what one row is. */
#define ROW(text) __attribute__((btf_decl_tag("row:" text)))
/* Says what a column means. */
#define DOC(text) __attribute__((btf_decl_tag("doc:" text)))
/* The value that means "there is none": null in JSON, `-` in text. */
#define ABSENT(value) __attribute__((btf_decl_tag("absent:" #value)))
/* On a member of an enum type: a set of the enum's bits, not one value. */
#define FLAGS __attribute__((btf_decl_tag("flags")))

/*
 * How a column is shown, where its C type does not say. Enumerators are shown
 * by what follows their `__`.
 */
typedef __u64 bytes_t;	     /* a size in bytes */
typedef __u64 pages_t;	     /* memory in pages, shown in bytes */
typedef __u64 nanoseconds_t; /* a duration, or a time since boot */
typedef __u32 device_t;	     /* a kernel dev_t, shown major:minor */
typedef __u32 hex_t;	     /* a bit mask, shown 0x... */
typedef __u64 mask_t;	     /* the same, of 64 bits */
typedef __u64 address_t;     /* an address in a process's memory, shown 0x... */
typedef __u8 ipv6_t[16];     /* an IPv6 address in network order */
typedef __u8 inet_t[17];     /* 4 or 6, and an address of that family; 0 if none */
typedef __u8 hash_t[8];	     /* bytes, shown in hexadecimal */
typedef __u16 tail_length_t; /* bytes in the string at the row's end; no column */

/*
 * Writes the row. The type id keeps the struct in the object's BTF even where
 * nothing else would.
 */
#ifndef write_row
#define write_row(seq, row, size)                                                                  \
	({                                                                                         \
		__u32 id = bpf_core_type_id_local(typeof(*(row)));                                 \
		asm volatile("" ::"r"(id));                                                        \
		bpf_seq_write((seq), (row), (size));                                               \
	})
#endif

#endif

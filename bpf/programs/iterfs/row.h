/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Declares the rows of a table. The struct is the schema: from its BTF the daemon knows
 * the name, offset, type and meaning of each column, and how to show it.
 *
 *	struct ROW("a process") process {
 *		__u32 pid DOC("process id");
 *		bytes_t rss DOC("resident memory");
 *	};
 *
 * A struct may end in one string of any length (`char path[]`). The program stores the
 * length of the string in a member of type `tail_length_t`.
 *
 * Include vmlinux.h or <linux/bpf.h> first, for the types __u8 to __u64.
 */
#ifndef ITERFS_PUBLIC_ROW_H
#define ITERFS_PUBLIC_ROW_H

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Marks the struct that a program writes. The text names what one row is. */
#define ROW(text) __attribute__((btf_decl_tag("row:" text)))
/* Describes a column. */
#define DOC(text) __attribute__((btf_decl_tag("doc:" text)))
/*
 * The value that stands for none: null in JSON, `-` in text. It must fit the member,
 * which must be an integer, an enum, a bool, a device_t, an ipv6_t or a hash_t.
 */
#define ABSENT(value) __attribute__((btf_decl_tag("absent:" #value)))
/*
 * The column is shown only if a name asks for it (`TABLE@+column`): one that few want. A
 * user's program makes it for every row all the same; iterfs's own make it where it is asked
 * for (REQUESTS() in lib/question.h).
 */
#define ON_REQUEST __attribute__((btf_decl_tag("on_request")))
/*
 * The column identifies the object that the row describes, alone or together with the other
 * columns marked so. `iterfs top` finds the rows of one object in two passes by it.
 */
#define KEY __attribute__((btf_decl_tag("key")))
/* The number only grows while the object exists; `iterfs top` shows its growth per second. */
#define COUNTER __attribute__((btf_decl_tag("counter")))
/* On a member of an enum type: the value is a set of the enum's bits. */
#define FLAGS __attribute__((btf_decl_tag("flags")))

/*
 * Types that tell how to show a column, where a plain C type does not. An enumerator is
 * shown by the part of its name after `__`.
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
typedef __u16 tail_length_t; /* length of the string at the end of the row; not a column */

/* Writes a row. The type id keeps the struct in the object's BTF, in any case. */
#ifndef write_row
#define write_row(seq, row, size)                                                                  \
	({                                                                                         \
		__u32 id = bpf_core_type_id_local(typeof(*(row)));                                 \
		asm volatile("" ::"r"(id));                                                        \
		bpf_seq_write((seq), (row), (size));                                               \
	})
#endif

#endif

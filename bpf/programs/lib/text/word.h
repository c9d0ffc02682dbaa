/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Strings, addresses and hashes in text mode (text.h). */
#ifndef ITERFS_TEXT_WORD_H
#define ITERFS_TEXT_WORD_H

#include "column.h"

/* Prints each byte as two digits. */
static __noinline void print_hexadecimal(struct seq_file *seq, const void *address, u32 width)
{
	int at;

	bpf_for(at, 0, ROW_MAX) {
		u8 byte = 0;

		if ((u32)at >= width)
			break;
		bpf_probe_read_kernel(&byte, sizeof(byte), address + at);
		print(seq, "%02x", byte);
	}
}

/* Blanks, control characters and backslashes, which would break a field. */
static __always_inline bool is_special(u8 byte)
{
	return byte <= 0x20 || byte == 0x7f || byte == '\\';
}

/* For eight bytes at once: a byte, eight times; whether any byte is below another. */
#define EACH(byte) (0x0101010101010101ULL * (byte))
#define ANY_BELOW(bytes, byte) (((bytes) - EACH(byte)) & ~(bytes) & EACH(0x80))

/* Whether any of eight bytes is special. */
static __always_inline bool any_special(u64 bytes)
{
	u64 deletes = bytes ^ EACH(0x7f), backslashes = bytes ^ EACH('\\');

	return ANY_BELOW(bytes, 0x21) | ANY_BELOW(deletes, 1) | ANY_BELOW(backslashes, 1);
}

/* Prints a byte as a backslash and three octal digits. */
static __always_inline void print_octal(struct seq_file *seq, u8 byte)
{
	u8 escape[] = { '\\', '0' + (byte >> 6), '0' + (byte >> 3 & 7), '0' + (byte & 7) };

	bpf_seq_write(seq, escape, sizeof(escape));
}

/* Prints up to eight bytes one by one; true if it met the NUL that ends the string. */
static __noinline bool print_odd_bytes(struct seq_file *seq, const void *address, u32 size,
				       bool until_nul)
{
	int at;

	bpf_for(at, 0, 8) {
		u8 byte = 0;

		if ((u32)at >= size)
			break;
		bpf_probe_read_kernel(&byte, sizeof(byte), address + at);
		if (!byte && until_nul)
			return true;
		if (is_special(byte))
			print_octal(seq, byte);
		else
			bpf_seq_write(seq, &byte, sizeof(byte));
	}
	return false;
}

/*
 * Prints a string as one word, as /proc/mounts does. Bytes beyond ASCII pass unchanged;
 * the daemon, which knows UTF-8, escapes those that are not valid.
 */
static __noinline void print_string(struct seq_file *seq, const void *address, u64 size,
				    bool until_nul)
{
	u8 first = 0, second = 0;
	int round;

	bpf_probe_read_kernel(&first, sizeof(first), address);
	if (!size || (!first && until_nul))
		return;
	/* A single dash would look like an empty field. */
	if (size > 1)
		bpf_probe_read_kernel(&second, sizeof(second), address + 1);
	if (first == '-' && (size == 1 || (!second && until_nul))) {
		print_octal(seq, first);
		return;
	}
	bpf_for(round, 0, TAIL_MAX / 8) {
		u64 at = round * 8, left, bytes = EACH('x');

		if (at >= size)
			break;
		left = size - at;
		barrier_var(left);
		if (left > sizeof(bytes))
			left = sizeof(bytes);
		if (bpf_probe_read_kernel(&bytes, left, address + at))
			break;
		if (!any_special(bytes))
			bpf_seq_write(seq, &bytes, left);
		else if (print_odd_bytes(seq, address + at, left, until_nul))
			break;
	}
}

/* Prints four bytes as an IPv4 address. */
static __always_inline void print_ipv4(struct seq_file *seq, const void *address)
{
	u32 bytes = 0;

	bpf_probe_read_kernel(&bytes, sizeof(bytes), address);
	print(seq, "%pI4", (u64)(unsigned long)&bytes);
}

/* Prints an IPv6 address as RFC 5952 asks: `::` stands for the first longest run of zeros. */
static __noinline void print_ipv6(struct seq_file *seq, const void *address)
{
	/* One bit for each 16-bit group: which are zero, and which are in the run. */
	u32 zeros = 0, starts, run = 0, first = 0;
	u16 group = 0;
	int index;

	bpf_for(index, 0, 8) {
		bpf_probe_read_kernel(&group, sizeof(group), address + 2 * index);
		if (!group)
			zeros |= 1 << index;
	}
	bpf_probe_read_kernel(&group, sizeof(group), address + 10);
	if ((zeros & 0x3f) == 0x1f && group == 0xffff) {
		print_word(seq, "::ffff:");
		print_ipv4(seq, address + 12);
		return;
	}

	/* The groups at which `index` + 1 zeros start; a single zero is no run. */
	starts = zeros;
	bpf_for(index, 1, 8) {
		starts &= zeros >> index;
		if (!starts)
			break;
		first = starts & -starts;
		run = first * ((2U << index) - 1);
	}

	bpf_for(index, 0, 8) {
		u32 bit = 1 << index;

		if (bit == first)
			print_word(seq, "::");
		if (bit & run)
			continue;
		if (index && !(bit >> 1 & run))
			print_word(seq, ":");
		bpf_probe_read_kernel(&group, sizeof(group), address + 2 * index);
		print(seq, "%x", __builtin_bswap16(group));
	}
}

#endif

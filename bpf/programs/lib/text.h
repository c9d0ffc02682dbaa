/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Text mode: the program prints its rows itself, for a link that is pinned in bpffs and
 * read by cat. It goes by the schema of the row, as the daemon does, which the loader
 * puts into maps (bpf/src/load/text/mod.rs).
 *
 * Without text mode the verifier sees a constant 0 and drops all of this code, and the
 * loader does not create the maps. Text mode needs bpf_for(), so Linux 6.4.
 */
#ifndef ITERFS_TEXT_H
#define ITERFS_TEXT_H

#include "kernel/iterators.h"
#include "mode.h"
#include "text/column.h"
#include "text/word.h"

/* Whether a column's value is the one that its ABSENT names. */
static __noinline bool is_absent(struct text_column *column, const void *address)
{
	if (!column->has_absent)
		return false;
	if (column->kind == text_kind__ipv6)
		return integer_at(address, 8) == column->absent &&
		       integer_at(address + 8, 8) == column->absent;
	return integer_at(address, column->width) == column->absent;
}

/* Prints a field, whose value is at `address` and has `size` bytes. */
static __noinline void print_field(struct seq_file *seq, struct text_column *column,
				   const void *address, u32 size)
{
	u32 kind = column->kind, cell = column->cell;
	u64 start = seq->count;
	u8 family = 0;

	if (is_absent(column, address)) {
		if (kind <= text_kind__device)
			pad(seq, cell, 1);
		print_word(seq, "-");
	} else {
		switch (kind) {
		case text_kind__bool:
			if (integer_at(address, 1))
				print_word(seq, "true");
			else
				print_word(seq, "false");
			break;
		case text_kind__name:
			print_name(seq, column, integer_at(address, size));
			break;
		case text_kind__flags:
			print_flags(seq, column, integer_at(address, size));
			break;
		case text_kind__bytes:
			print_hexadecimal(seq, address, size);
			break;
		case text_kind__text:
		case text_kind__tail:
			print_string(seq, address, size, kind == text_kind__text);
			break;
		case text_kind__ipv6:
			print_ipv6(seq, address);
			break;
		case text_kind__inet:
			family = integer_at(address, 1);
			if (family == 4)
				print_ipv4(seq, address + 1);
			else if (family == 6)
				print_ipv6(seq, address + 1);
			break;
		default:
			print_number(seq, column, integer_at(address, size));
		}
		/* An empty string, or an address without a family. */
		if (seq->count == start)
			print_word(seq, "-");
	}
	if (column->last) {
		print_word(seq, "\n");
		return;
	}
	pad(seq, cell, seq->count - start);
	print_word(seq, " ");
}

/* Prints a row. The string at its end, if it has one, is at `tail`. */
static __noinline __attribute__((unused)) void print_row(struct seq_file *seq, const void *row, const void *tail,
				 u32 length)
{
	int round;

	bpf_for(round, 0, MANY) {
		u32 index = round;
		struct text_column *column = bpf_map_lookup_elem(&text_columns, &index);

		if (!column)
			break;
		if (column->kind == text_kind__tail)
			print_field(seq, column, tail, length);
		else
			print_field(seq, column, row + (column->offset & (ROW_MAX - 1)),
				    column->width);
	}
}

/* Prints the line of column names. */
static __noinline void print_header(struct seq_file *seq)
{
	int round;

	bpf_for(round, 0, MANY) {
		u32 index = round;
		struct text_piece *piece = bpf_map_lookup_elem(&text_header, &index);

		if (!piece)
			break;
		print_piece(seq, piece);
	}
}

/*
 * The file that a pass writes its rows to. Every program begins with this, so that in
 * text mode the header comes first, even in an empty table.
 *
 * The last call of a pass has no object. Its seq_num is 0 if the table has one object or
 * none, and `index` tells those apart. If an empty walk began with SEQ_START_TOKEN, as
 * walks over sockets do, its seq_num is -1.
 */
static __always_inline struct seq_file *begin_rows(struct bpf_iter_meta *meta, const void *object)
{
	struct seq_file *seq = meta->seq;
	bool first;

	if (!text_mode)
		return seq;
	first = meta->seq_num == 0;
	if (!object)
		first = first ? seq->index == 0 : meta->seq_num == (u64)-1;
	if (first)
		print_header(seq);
	return seq;
}

#endif

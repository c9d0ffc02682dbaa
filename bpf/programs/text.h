/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Text mode: rows printed by the program itself, for a link that is pinned in
 * bpffs and read by cat. The same programs do it: what the daemon would decode
 * by the row's schema is here printed by it, as columns that the loader puts
 * into maps (bpf/src/text.rs).
 *
 * Without text mode the verifier sees a constant 0 and drops all of this, and
 * the maps are not made. With it, loops go by the iterators of 6.4.
 */
#ifndef ITERFS_TEXT_H
#define ITERFS_TEXT_H

#include "kernel.h"

/* Whether rows are printed. A section of its own, so that the loader finds it. */
const volatile u32 text_mode SEC(".rodata.mode") = 0;

/* What a column holds; bpf/src/text.rs has the same, in the same order. */
enum text_kind {
	text_kind__unsigned,
	text_kind__signed,
	text_kind__hex,
	text_kind__device,
	text_kind__bool,
	text_kind__name,
	text_kind__flags,
	text_kind__bytes,
	text_kind__text,
	text_kind__tail,
	text_kind__ipv6,
	text_kind__inet,
};

/* A column, as `Column` in bpf/src/schema.rs; bpf/src/text.rs writes it. */
struct text_column {
	/* The value that means "there is none", by its bits. */
	u64 absent;
	u32 has_absent;
	u32 kind;
	/* Where the value is in the row, and how many bytes it takes. */
	u32 offset;
	u32 width;
	/* A number is shown shifted to the left by so much. */
	u32 shift;
	/* The least characters a field takes. */
	u32 cell;
	/* Its names among those of all columns. */
	u32 first_name;
	u32 names;
	u32 last;
	u32 unused;
};

#define PIECE_MAX 52

/* The name of a value, or a part of the header. */
struct text_piece {
	u64 value;
	u32 length;
	char text[PIECE_MAX];
};

/* The loader says how many entries these have. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct text_column);
} text_columns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct text_piece);
} text_names SEC(".maps"), text_header SEC(".maps");

/* More of anything than there is: loops end where a map does. */
#define MANY 65536
/* No row is longer than a record (reader.h). */
#define ROW_MAX 8192
#define TAIL_MAX 65536

#define TEXT SEC(".rodata.text")

/* As many as a cell has, and no NUL. */
static const char text_blanks[64] TEXT = "                                "
					 "                                ";

#define print(seq, format, ...)                                                                    \
	({                                                                                         \
		static const char text[] TEXT = format;                                            \
		u64 values[] = { __VA_ARGS__ };                                                    \
		bpf_seq_printf((seq), text, sizeof(text), values, sizeof(values));                 \
	})

#define print_word(seq, word)                                                                      \
	({                                                                                         \
		static const char text[] TEXT = word;                                              \
		bpf_seq_write((seq), text, sizeof(text) - 1);                                      \
	})

/* Blanks to fill a cell of which so many characters are taken. */
static __always_inline void pad(struct seq_file *seq, u32 cell, u64 taken)
{
	u64 missing = cell > taken ? cell - taken : 0;

	if (missing > sizeof(text_blanks))
		missing = sizeof(text_blanks);
	bpf_seq_write(seq, text_blanks, missing);
}

static __always_inline void print_piece(struct seq_file *seq, const struct text_piece *piece)
{
	u32 length = piece->length;

	if (length <= PIECE_MAX)
		bpf_seq_write(seq, piece->text, length);
}

/*
 * The characters that a number takes in a base. Of a counter of its own the
 * verifier would follow each value.
 */
static __noinline u32 digits(u64 value, u32 base)
{
	int count;

	bpf_for(count, 1, 64) {
		if (value < base)
			return count;
		value /= base;
	}
	return 0;
}

static __always_inline u64 integer_at(const void *address, u64 width)
{
	u64 value = 0;

	/* So that the value tested is the value used. */
	barrier_var(width);
	if (width > sizeof(value))
		return 0;
	bpf_probe_read_kernel(&value, width, address);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value >>= 64 - 8 * width;
#endif
	return value;
}

/* These stand at the right of their cells. */
static __noinline void print_number(struct seq_file *seq, struct text_column *column, u64 value)
{
	u32 unused = (64 - 8 * column->width) & 63;
	u32 cell = column->cell;
	s64 number;

	switch (column->kind) {
	case text_kind__signed:
		number = (s64)(value << unused) >> unused;
		pad(seq, cell, digits(number < 0 ? -number : number, 10) + (number < 0));
		print(seq, "%lld", number);
		break;
	case text_kind__hex:
		pad(seq, cell, 2 + digits(value, 16));
		print(seq, "0x%llx", value);
		break;
	case text_kind__device:
		/* The kernel's own encoding (include/linux/kdev_t.h). */
		pad(seq, cell, digits(value >> 20, 10) + 1 + digits(value & 0xfffff, 10));
		print(seq, "%llu:%llu", value >> 20, value & 0xfffff);
		break;
	default:
		value <<= column->shift & 63;
		pad(seq, cell, digits(value, 10));
		print(seq, "%llu", value);
	}
}

/* A value's name, or its number. */
static __noinline void print_name(struct seq_file *seq, struct text_column *column, u64 value)
{
	int count = column->names;
	int round;

	bpf_for(round, 0, MANY) {
		u32 index = column->first_name + round;
		struct text_piece *name;

		if (round >= count)
			break;
		name = bpf_map_lookup_elem(&text_names, &index);
		if (!name)
			break;
		if (name->value == value) {
			print_piece(seq, name);
			return;
		}
	}
	print(seq, "%llu", value);
}

/* The names of bits, and what has no name as one number. */
static __noinline void print_flags(struct seq_file *seq, struct text_column *column, u64 value)
{
	int count = column->names;
	u64 rest = value;
	bool some = false;
	int round;

	bpf_for(round, 0, MANY) {
		u32 index = column->first_name + round;
		struct text_piece *name;

		if (round >= count)
			break;
		name = bpf_map_lookup_elem(&text_names, &index);
		if (!name)
			break;
		rest &= ~name->value;
		if (!(name->value & value))
			continue;
		if (some)
			print_word(seq, "|");
		some = true;
		print_piece(seq, name);
	}
	if (rest && some)
		print_word(seq, "|");
	if (rest)
		print(seq, "0x%llx", rest);
}

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

/* Blanks, control characters and backslashes would not stay in their field. */
static __always_inline bool is_special(u8 byte)
{
	return byte <= 0x20 || byte == 0x7f || byte == '\\';
}

#define EACH(byte) (0x0101010101010101ULL * (byte))
#define ANY_BELOW(bytes, byte) (((bytes) - EACH(byte)) & ~(bytes) & EACH(0x80))

/* Whether one of eight bytes is special. */
static __always_inline bool any_special(u64 bytes)
{
	u64 deletes = bytes ^ EACH(0x7f), backslashes = bytes ^ EACH('\\');

	return ANY_BELOW(bytes, 0x21) | ANY_BELOW(deletes, 1) | ANY_BELOW(backslashes, 1);
}

static __always_inline void print_octal(struct seq_file *seq, u8 byte)
{
	u8 escape[] = { '\\', '0' + (byte >> 6), '0' + (byte >> 3 & 7), '0' + (byte & 7) };

	bpf_seq_write(seq, escape, sizeof(escape));
}

/* Byte by byte; true at the NUL that ends the string, if one does. */
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
 * A string as one word, as /proc/mounts shows it. What is not ASCII passes as it
 * is: the daemon, which knows UTF-8, also escapes what is not that.
 */
static __noinline void print_string(struct seq_file *seq, const void *address, u64 size,
				    bool until_nul)
{
	u8 first = 0, second = 0;
	int round;

	bpf_probe_read_kernel(&first, sizeof(first), address);
	if (!size || (!first && until_nul))
		return;
	/* A lone dash would read as an empty field. */
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

static __always_inline void print_ipv4(struct seq_file *seq, const void *address)
{
	u32 bytes = 0;

	bpf_probe_read_kernel(&bytes, sizeof(bytes), address);
	print(seq, "%pI4", (u64)(unsigned long)&bytes);
}

/* As RFC 5952 has it: the first of the longest runs of zeros is left out. */
static __noinline void print_ipv6(struct seq_file *seq, const void *address)
{
	/* A bit a group of 16 bits: which are zero, where the run is. */
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

	/* The groups at which so many zeros start; alone, one is not left out. */
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

static __noinline bool is_absent(struct text_column *column, const void *address)
{
	if (!column->has_absent)
		return false;
	if (column->kind == text_kind__ipv6)
		return !integer_at(address, 8) && !integer_at(address + 8, 8);
	return integer_at(address, column->width) == column->absent;
}

/* Prints a field, whose value lies at an address and takes so many bytes. */
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
		/* What is empty. */
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

/* Prints a row; a string that ends it may lie elsewhere. */
static __noinline int print_row(struct seq_file *seq, const void *row, const void *tail, u32 length)
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
	return 0;
}

static __noinline int print_header(struct seq_file *seq)
{
	int round;

	bpf_for(round, 0, MANY) {
		u32 index = round;
		struct text_piece *piece = bpf_map_lookup_elem(&text_header, &index);

		if (!piece)
			break;
		print_piece(seq, piece);
	}
	return 0;
}

/*
 * Where a pass writes its rows. Every program begins with this, so that in text
 * mode the header comes first, of an empty table, too. The last call, without an
 * object, has the number of the last object: 0 if there was one, and if there
 * was none, which `index` tells apart. Where the walk of nothing began with a
 * token (SEQ_START_TOKEN), as those of sockets do, the number is one less.
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

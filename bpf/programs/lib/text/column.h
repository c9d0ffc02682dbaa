/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Columns in text mode (text.h), and how numbers and names are printed. */
#ifndef ITERFS_TEXT_COLUMN_H
#define ITERFS_TEXT_COLUMN_H

#include "../kernel/iterators.h"

/* The kind of a column's values; bpf/src/load/text/plan.rs has the same list. */
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

/* A column; bpf/src/load/text/plan.rs writes it, field by field. */
struct text_column {
	/* The bits of the value that stands for none, if has_absent is 1. */
	u64 absent;
	u32 has_absent;
	enum text_kind kind;
	/* The offset of the value in the row, and its bytes. */
	u32 offset;
	u32 width;
	/* Shift a number to the left by this before printing it. */
	u32 shift;
	/* The minimum width of a field, in characters. */
	u32 cell;
	/* The names of its values, in text_names. */
	u32 first_name;
	u32 names;
	/* Whether it is the last column. */
	u32 last;
	u32 unused;
};

#define PIECE_MAX 52

/* The name of a value, or part of the header. */
struct text_piece {
	u64 value;
	u32 length;
	char text[PIECE_MAX];
};

/* The loader sets the sizes of these maps. */
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

/* A limit that no loop reaches: each ends at the end of a map. */
#define MANY 65536
/* No row is longer than the reader's record (reader.h). */
#define ROW_MAX 8192
#define TAIL_MAX 65536

/* A section that the loader leaves out without text mode. */
#define TEXT SEC(".rodata.text")

/* Blanks for the widest cell, without a NUL. */
static const char text_blanks[64] TEXT = "                                "
					 "                                ";

/* bpf_seq_printf() and bpf_seq_write() of constants in that section. */
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

/* Writes the blanks that fill a cell of which `taken` characters are used. */
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
 * The digits of a number in a base. The count is the loop's own variable, because the
 * verifier would follow each value of another one.
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

/* An unsigned integer of `width` bytes. */
static __always_inline u64 integer_at(const void *address, u64 width)
{
	u64 value = 0;

	/* Keeps the compiler from testing one copy of it and using another. */
	barrier_var(width);
	if (width > sizeof(value))
		return 0;
	bpf_probe_read_kernel(&value, width, address);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value >>= 64 - 8 * width;
#endif
	return value;
}

/* Prints a number at the right end of its cell. */
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

/* A name of a column's values; NULL after the last. */
static __always_inline struct text_piece *name_at(struct text_column *column, u32 at)
{
	u32 index = column->first_name + at;

	return at < column->names ? bpf_map_lookup_elem(&text_names, &index) : NULL;
}

/* Prints the name of a value, or its number if it has no name. */
static __noinline void print_name(struct seq_file *seq, struct text_column *column, u64 value)
{
	int round;

	bpf_for(round, 0, MANY) {
		struct text_piece *name = name_at(column, round);

		if (!name)
			break;
		if (name->value == value) {
			print_piece(seq, name);
			return;
		}
	}
	print(seq, "%llu", value);
}

/* Prints the names of the bits that are set, and the rest as one number. */
static __noinline void print_flags(struct seq_file *seq, struct text_column *column, u64 value)
{
	u64 rest = value;
	bool some = false;
	int round;

	bpf_for(round, 0, MANY) {
		struct text_piece *name = name_at(column, round);

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

#endif

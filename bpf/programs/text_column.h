/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Columns as text mode has them (text.h): numbers and names. */
#ifndef ITERFS_TEXT_COLUMN_H
#define ITERFS_TEXT_COLUMN_H

#include "kernel.h"

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
	enum text_kind kind;
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
	/* Whether the line ends with it. */
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

/* A section that is left out without text mode. */
#define TEXT SEC(".rodata.text")

/* As many as a cell has, and no NUL. */
static const char text_blanks[64] TEXT = "                                "
					 "                                ";

/* bpf_seq_printf() and bpf_seq_write() of what is only there in text mode. */
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

/* An integer of any width, without its sign. */
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

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Questions: a name such as net/tcp@state=LISTEN asks for some rows and some columns of a
 * table. The conditions are data, which bpf/src/load/question.rs writes, so one program
 * answers every question.
 *
 * The same program is loaded twice. The plain form makes every row, and the verifier
 * drops all of this code there (mode.h). The asking form looks its question up in a map,
 * by the reading thread, as reader.h does for the settings of the reader. In text mode
 * the program serves one pin, which has one question.
 *
 * write_row() leaves out the rows that the question does not keep, in every program. A
 * program whose columns cost something can do better:
 *
 *	struct question *question = current_question();
 *	...
 *	if (asking && !keeps_before(question, row, path))
 *		return 0;
 *	if (WANTS(question, row, path))
 *		make the path
 */
#ifndef ITERFS_QUESTION_H
#define ITERFS_QUESTION_H

#include "kernel/iterators.h"
#include "loop.h"
#include "mode.h"
#include "text/column.h"

#define MAX_TESTS 16
/* Words of eight bytes that tests compare with; together, and so also of one test. */
#define MAX_WORDS 32
/* The last column whose making can be asked for ends below this offset. */
#define MADE_MAX 512

/* The kinds of tests. bpf/src/load/question.rs has the same list. */
enum probe {
	/* Nothing: the test never holds, negated or not. */
	probe__never,
	/* An integer from `low` to `high`. */
	probe__range,
	/* An integer that shares a bit with `low`. */
	probe__any_bit,
	/* `length` bytes that equal the operand; of the last word, the bits in `high` count. */
	probe__bytes,
};

enum test_flag {
	/* The test holds where the value does not have what the probe looks for. */
	test_flag__negated = 1,
	/* The test is the last of its clause. A clause holds if any of its tests does. */
	test_flag__last = 2,
	/*
	 * The integer is signed. The bounds are in the order of unsigned ones: their highest
	 * bit is flipped.
	 */
	test_flag__signed = 4,
	/* The value is the string at the end of the row, and `offset` is NO_OFFSET. */
	test_flag__tail = 8,
	/* Nothing follows the bytes. */
	test_flag__whole = 16,
};

#define NO_OFFSET 0xffff

struct test {
	u64 low, high;
	/* Where the value is in the row; tests are in this order. */
	u16 offset;
	/* The bytes of the operand, and the word at which it begins. */
	u16 length;
	u8 first;
	/* The bytes of an integer. */
	u8 width;
	u8 probe;
	u8 flags;
};

struct question {
	u32 tests;
	u32 unused;
	struct test test[MAX_TESTS];
	u64 words[MAX_WORDS];
	/* The offsets of the columns to make, one bit for each byte of the row. */
	u64 made[MADE_MAX / 64];
};

/* In text mode the loader makes it an array of one entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct question);
} questions SEC(".maps");

/* The question of the open that is being read; NULL in the plain form. */
static __always_inline struct question *current_question(void)
{
	u32 tid = text_mode ? 0 : (u32)bpf_get_current_pid_tgid();

	return asking ? bpf_map_lookup_elem(&questions, &tid) : NULL;
}

static __always_inline bool is_made(const struct question *question, u32 offset)
{
	return question && question->made[offset / 64] >> (offset % 64) & 1;
}

/* The offset of a column, for which there must be a bit. */
#define OFFSET(row, column)                                                                        \
	({                                                                                         \
		_Static_assert(__builtin_offsetof(typeof(*(row)), column) < MADE_MAX,              \
			       "raise MADE_MAX");                                                  \
		__builtin_offsetof(typeof(*(row)), column);                                        \
	})

/* Whether a column has to be made: whether the question shows or needs it. */
#define WANTS(question, row, column) (!asking || is_made((question), OFFSET(row, column)))

/* Whether any of the columns from one offset to another is made; both are constants. */
static __always_inline bool any_made(const struct question *question, u32 from, u32 to)
{
	u64 made = 0;

	if (!question)
		return false;
	for (u32 word = from / 64; word <= to / 64; word++) {
		u64 bits = -1;

		if (word == from / 64)
			bits &= -1ULL << (from % 64);
		if (word == to / 64)
			bits &= -1ULL >> (63 - to % 64);
		made |= question->made[word] & bits;
	}
	return made;
}

/* Whether any of the columns from `first` to `last`, which are made together, has to be made. */
#define WANTS_ANY(question, row, first, last)                                                      \
	(!asking || any_made((question), OFFSET(row, first), OFFSET(row, last)))
/* WANTS() of a column that is marked ON_REQUEST: in the plain form nobody wants it. */
#define REQUESTS(question, row, column) (asking && is_made((question), OFFSET(row, column)))

/* A look at a row, test by test. */
struct look {
	const struct question *question;
	const void *row, *tail;
	/* The length of the tail. */
	u32 length;
	/* Columns from this offset on are not made yet. */
	u32 limit;
	/* Whether a test of the current clause held. */
	bool holds;
	bool refuses;
};

/* Whether a word of an operand is not in the value at `address`. */
static __noinline bool differs(const struct question *question, const struct test *test,
			       const void *address, u32 word)
{
	u64 value = 0, mask = -1, length = test->length, left;
	u32 index = test->first + word;

	if (8 * word >= length || index >= MAX_WORDS)
		return false;
	left = length - 8 * word;
	if (left > sizeof(value))
		left = sizeof(value);
	else
		mask = test->high;
	/* Keeps the compiler from testing one copy of it and using another. */
	barrier_var(left);
	if (left > sizeof(value))
		return true;
	barrier_var(word);
	barrier_var(index);
	bpf_probe_read_kernel(&value, left, address + 8 * (word & (MAX_WORDS - 1)));
	return (value & mask) != question->words[index & (MAX_WORDS - 1)];
}

static __noinline bool has_bytes(const struct look *look, const struct test *test)
{
	const void *address;

	if (!look || !look->question || !test)
		return false;
	if (test->flags & test_flag__tail) {
		if (look->length < test->length ||
		    ((test->flags & test_flag__whole) && look->length != test->length))
			return false;
		address = look->tail;
	} else {
		address = look->row + (test->offset & (ROW_MAX - 1));
	}
	return !repeat((test->length + 7) / 8, MAX_WORDS,
		       differs(look->question, test, address, round));
}

static __always_inline bool has_integer(const struct look *look, const struct test *test)
{
	u64 value = integer_at(look->row + (test->offset & (ROW_MAX - 1)), test->width);
	u32 unused = (64 - 8 * test->width) & 63;

	if (test->probe == probe__any_bit)
		return value & test->low;
	if (test->flags & test_flag__signed)
		value = (u64)((s64)(value << unused) >> unused) ^ 1ULL << 63;
	return test->low <= value && value <= test->high;
}

/* Looks at a test; true when the look is over. */
static __noinline bool look_at(struct look *look, u32 at)
{
	const struct test *test;
	bool found;

	if (!look || !look->question || at >= look->question->tests)
		return true;
	/* Keeps the mask, which shows the verifier the bounds. */
	barrier_var(at);
	test = &look->question->test[at & (MAX_TESTS - 1)];
	if (test->offset >= look->limit)
		return true;
	if (!look->holds && test->probe != probe__never) {
		found = test->probe == probe__bytes ? has_bytes(look, test)
						    : has_integer(look, test);
		look->holds = found != !!(test->flags & test_flag__negated);
	}
	if (test->flags & test_flag__last) {
		if (!look->holds) {
			look->refuses = true;
			return true;
		}
		look->holds = false;
	}
	return false;
}

/*
 * Whether a question keeps a row, as far as the columns below the offset `limit` tell.
 * Nothing is kept without a question, which the daemon always stores.
 */
static __noinline __attribute__((unused)) bool keeps(const struct question *question,
						     const void *row, const void *tail,
						     u32 length, u32 limit)
{
	struct look look = {
		.question = question,
		.row = row,
		.tail = tail,
		.length = length,
		.limit = limit,
	};

	if (!question)
		return false;
	if (!question->tests)
		return true;
	/* Most questions have one test, which needs no loop. */
	if (!look_at(&look, 0) && question->tests > 1)
		repeat(MAX_TESTS - 1, MAX_TESTS - 1, look_at(&look, round + 1));
	return !look.refuses;
}

/* Whether a question may keep a row of which the columns before `column` are made. */
#define keeps_before(question, row, column)                                                        \
	keeps((question), (row), NULL, 0, __builtin_offsetof(typeof(*(row)), column))

/* Whether a column has to be made for a row that may be kept. */
#define NEEDS(question, row, column)                                                               \
	(WANTS(question, row, column) && (!asking || keeps_before(question, row, column)))

/* Whether the reader's question keeps a row, which is complete. */
#define keeps_row(row, tail, length)                                                               \
	keeps(current_question(), (row), (tail), (length), NO_OFFSET + 1)

#endif

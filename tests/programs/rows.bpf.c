// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* One row per pass, with every kind of column. */
#include "iter.h"
#include <iterfs/row.h>

enum color { color__red, color__green };
enum letters { letters__a = 1, letters__b = 2 };

/* A mark of the column `size`, such as ON_REQUEST. */
#ifndef SIZE
#define SIZE
#endif

struct ROW("a row that is always the same") sample {
	__u32 number DOC("a number");
	__s32 negative DOC("a negative one");
	enum color color DOC("a name");
	enum letters letters FLAGS DOC("a set");
	bytes_t size SIZE DOC("bytes");
	hex_t mask DOC("a mask");
	__u64 none ABSENT(7) DOC("absent");
	char word[8] DOC("some text");
	tail_length_t length;
	char path[] DOC("text of any length");
};

SEC("iter/task")
int sample(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u64 record[sizeof(struct sample) / 8 + 2] = {};
	struct sample *row = (void *)record;

	if (!task || ctx->meta->seq_num)
		return 0;
	row->number = 42;
	row->negative = -3;
	row->color = color__green;
	row->letters = letters__a | letters__b;
	row->size = 4096;
	row->mask = 0x1f;
	row->none = 7;
	__builtin_memcpy(row->word, "a word", 7);
	row->length = 5;
	__builtin_memcpy(row->path, "/x y\n", 5);
	write_row(ctx->meta->seq, row, __builtin_offsetof(struct sample, path) + 5);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/kernel/iterators.h"
#include "lib/kernel/symbol.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("a kernel symbol") symbol {
	address_t address KEY ABSENT(0) DOC("address; none unless the reader is root, or if the kernel hides it");
	char type[2] DOC("type of symbol, as in nm(1)");
	char module[56] KEY DOC("module that it belongs to; none for the kernel itself");
	tail_length_t name_length;
	char name[] KEY DOC("name of the symbol");
};

#define SYMBOL_MAX 512

/* A letter in upper or lower case. */
static __always_inline char to_case(char type, bool upper)
{
	if (upper && type >= 'a' && type <= 'z')
		return type - 'a' + 'A';
	if (!upper && type >= 'A' && type <= 'Z')
		return type - 'A' + 'a';
	return type;
}

SEC("iter/ksym")
int dump_ksyms(struct bpf_iter__ksym *ctx)
{
	struct kallsym_iter *ksym = ctx->ksym;
	struct seq_file *seq = begin_rows(ctx->meta, ksym);
	struct reader *reader = current_reader();
	struct symbol *row;
	long size;

	if (!ksym)
		return 0;
	if (!reader)
		return WITHOUT_READER;
	/*
	 * The kernel makes the last call of a pass with the previous symbol, whose position
	 * is one too far (bpf_iter_ksym_seq_stop()). The position of the kernel's own
	 * symbols, which have no module, is always one too far.
	 */
	if (HAS(ksym, module_name[0]) && HAS(ksym, pos) && ksym->module_name[0] &&
	    (u64)ksym->pos != ctx->meta->seq_num)
		return 0;

	row = (struct symbol *)reader->record;
	__builtin_memset(row, 0, sizeof(*row));
	if (FIELD(ksym, show_value) && !reader->hides_addresses)
		row->address = FIELD(ksym, value);
	/* The case of the type tells whether a module exports the symbol (s_show()). */
	row->type[0] = FIELD(ksym, type);
	if (HAS(ksym, module_name) && BPF_CORE_READ_STR_INTO(&row->module, ksym, module_name) > 1 &&
	    HAS(ksym, exported))
		row->type[0] = to_case(row->type[0], ksym->exported);

	size = 1;
	if (HAS(ksym, name)) {
		size = BPF_CORE_READ_STR_INTO((char(*)[SYMBOL_MAX])row->name, ksym, name);
		/* A module's first symbol has no name; /proc/kallsyms leaves it out, too. */
		if (size < 2)
			return 0;
	}
	if (size < 1 || size > SYMBOL_MAX)
		return 0;
	row->name_length = size - 1;
	write_row_and_tail(seq, row, name, size - 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/access.h"
#include "lib/file_path.h"
#include "lib/kernel/file.h"
#include "lib/kernel/iterators.h"
#include "lib/kernel/memory.h"
#include "lib/memory.h"
#include "lib/path.h"
#include "lib/pid.h"
#include "lib/read.h"
#include "lib/reader.h"
#include "lib/row.h"

struct ROW("a memory mapping of a process") vma {
	u32 pid KEY DOC("process id, in the reader's pid namespace");
	address_t start KEY ABSENT(-1) DOC("first address");
	address_t end ABSENT(-1) DOC("first address after the mapping");
	bytes_t size ABSENT(-1) DOC("size of the mapping");
	char perms[5] DOC("r, w, x, and p for private or s for shared, as in /proc/<pid>/maps");
	pages_t offset ABSENT(-1) DOC("offset in the file, in bytes");
	device_t dev ABSENT(0) DOC("device of the file's filesystem");
	u64 inode ABSENT(0) DOC("inode number of the file");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("path of the file, or a name such as [heap], as in /proc/<pid>/maps");
};

#define NAME_ROOM 128
#define NAMED(path, text) (__builtin_memcpy(path, text, sizeof(text)), sizeof(text) - 1)

/* Reads the name of a mapping without a file and returns its length; 0 if it has none. */
static __always_inline u32 read_name(char *path, struct vm_area_struct *vma)
{
	struct mm_struct *mm = FIELD(vma, vm_mm);
	struct vm_special_mapping *special;
	long size;

	/*
	 * The kernel's own mappings, such as [vdso], have a name. Among mappings without
	 * a file only theirs have `name` in their operations, and only their private data
	 * is a vm_special_mapping (mm/mmap.c, special_mapping_vmops).
	 */
	if (FIELD(vma, vm_ops, name)) {
		special = FIELD(vma, vm_private_data);
		size = bpf_probe_read_kernel_str(path, NAME_ROOM, READ(special, name));
		if (size > 1 && path[0] == '[')
			return size - 1;
	}
	if (!mm)
		return 0;
	if (is_heap(vma, mm))
		return NAMED(path, "[heap]");
	if (is_stack(vma, mm))
		return NAMED(path, "[stack]");
	if (FIELD(vma, anon_name) && bpf_core_field_exists(struct anon_vma_name, name)) {
		struct anon_vma_name *given = vma->anon_name;

		__builtin_memcpy(path, "[anon:", 6);
		size = bpf_probe_read_kernel_str(path + 6, NAME_ROOM,
						 ADDRESS(given, name));
		if (size < 1 || size > NAME_ROOM)
			return 0;
		path[5 + size] = ']';
		return 6 + size;
	}
	return 0;
}

/* include/linux/fs.h, FMODE_BACKING: one of these bits; the other has another meaning. */
#define MAYBE_BACKING (3 << 24)

/*
 * The backing file of a mapping, or NULL. A file of an overlay is mapped as the file on
 * the lower filesystem, with the path by which the user opened it, on which the iterator
 * holds no reference (file_path.h). Behind any other file there is other memory, so check
 * for a path: a mount and a name of the same filesystem.
 */
static __always_inline struct backing_file *backing_of(struct file *file)
{
	struct backing_file *backing = (void *)file;
	struct super_block *super;

	if (!file || !HAS(backing, user_path.mnt, mnt_sb) || !HAS(backing, user_path.dentry, d_sb))
		return NULL;
	if (!(FIELD(file, f_mode) & MAYBE_BACKING))
		return NULL;
	super = READ(backing, user_path.mnt, mnt_sb);
	if (!super || super != READ(backing, user_path.dentry, d_sb) ||
	    super != READ(backing, user_path.mnt, mnt_root, d_sb))
		return NULL;
	return backing;
}

/* Fills the columns that do not depend on the file. */
static __always_inline void fill(struct vma *row, struct task_struct *task,
				 struct vm_area_struct *vma, u32 process)
{
	__builtin_memset(row, 0, sizeof(*row));
	row->pid = process;
	SET(row->start, vma, vm_start);
	SET(row->end, vma, vm_end);
	if (HAS(vma, vm_start) && HAS(vma, vm_end))
		row->size = vma->vm_end - vma->vm_start;
	else
		UNSET(row->size);
	if (HAS(vma, vm_flags)) {
		row->perms[0] = vma->vm_flags & VM_READ ? 'r' : '-';
		row->perms[1] = vma->vm_flags & VM_WRITE ? 'w' : '-';
		row->perms[2] = vma->vm_flags & VM_EXEC ? 'x' : '-';
		row->perms[3] = vma->vm_flags & VM_MAYSHARE ? 's' : 'p';
	}
	COPY_NAME(row->comm, task, comm);
}

/* Writes the row of a mapping of a backing file. */
static __always_inline void write_backed(struct seq_file *seq, struct reader *reader,
					 struct question *question, struct vma *row,
					 struct backing_file *backing)
{
	struct dentry *dentry = READ(backing, user_path.dentry);

	row->dev = READ(dentry, d_inode, i_sb, s_dev);
	row->inode = READ(dentry, d_inode, i_ino);
	if (asking && !keeps_before(question, row, path))
		return;
	if (!WANTS(question, row, path)) {
		write_row_and_tail(seq, row, path, 0);
		return;
	}
	row->path_length = walk_path(reader, dentry, READ(backing, user_path.mnt));
	write_row_with_path(seq, row, path, reader, row->path_length);
}

SEC("iter/task_vma")
int dump_vmas(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct vm_area_struct *vma = ctx->vma;
	struct question *question = current_question();
	struct reader *reader = task_reader(seq, task);
	struct backing_file *backing;
	struct file *file;
	struct vma *row;
	u32 process;
	long size;

	/* The walk visits threads that have their own descriptors, too; their memory is the same. */
	if (!task || !vma || !is_leader(task))
		return 0;
	if (!reader)
		return WITHOUT_READER;
	/*
	 * Decide by the memory that is walked, not by the process: meanwhile it may have
	 * given up its privileges and run another program, which its user may look into.
	 */
	if (!may_look_into(reader, task, FIELD(vma, vm_mm)))
		return 0;
	process = visible_process(reader, task);
	if (!process)
		return 0;

	file = FIELD(vma, vm_file);
	backing = backing_of(file);
	if (backing) {
		/* After the part of the record in which walk_path() builds the path. */
		row = (struct vma *)(reader->record + PATH_MAX);
		fill(row, task, vma, process);
		SET(row->offset, vma, vm_pgoff);
		write_backed(seq, reader, question, row, backing);
		return 0;
	}

	row = (struct vma *)reader->record;
	fill(row, task, vma, process);
	if (file) {
		SET(row->offset, vma, vm_pgoff);
		row->dev = FIELD(file, f_inode, i_sb, s_dev);
		row->inode = FIELD(file, f_inode, i_ino);
		size = 1;
		if (HAS(file, f_path) && NEEDS(question, row, path))
			size = bpf_d_path(&file->f_path, row->path, PATH_MAX);
		if (size < 1 || size > PATH_MAX)
			size = 1;
		size--;
	} else {
		size = NEEDS(question, row, path) ? read_name(row->path, vma) : 0;
	}
	/* The mask changes nothing; without it verifiers before 6.13 lose the bound. */
	row->path_length = IN_PATH(size);
	write_row_and_tail(seq, row, path, IN_PATH(size));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

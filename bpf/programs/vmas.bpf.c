// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "memory.h"
#include "path.h"
#include "reader.h"
#include "row.h"

struct ROW("a memory mapping of a process") vma {
	u32 pid DOC("process id, as the reader's pid namespace numbers it");
	address_t start ABSENT(-1) DOC("first address");
	address_t end ABSENT(-1) DOC("first address after it");
	bytes_t size ABSENT(-1) DOC("size of the mapping");
	char perms[5] DOC("r, w, x, and p for private or s for shared, as in /proc/<pid>/maps");
	pages_t offset ABSENT(-1) DOC("where in the file it begins, in bytes");
	device_t dev ABSENT(0) DOC("device the file lies on");
	u64 inode ABSENT(0) DOC("inode number of the file");
	char comm[16] DOC("name of the process");
	tail_length_t path_length;
	char path[] DOC("path of the file, or a name such as [heap], as in /proc/<pid>/maps");
};

#define NAME_ROOM 128
#define NAMED(path, text) (__builtin_memcpy(path, text, sizeof(text)), sizeof(text) - 1)

/* A mapping without a file may have a name all the same; returns its length. */
static __always_inline u32 read_name(char *path, struct vm_area_struct *vma)
{
	struct mm_struct *mm = FIELD(vma, vm_mm);
	struct vm_special_mapping *special;
	long size;

	/*
	 * [vdso] and the like: the kernel's own mappings say what they are. Of mappings
	 * without a file only they can name themselves, and only then is the private data
	 * what it is taken for (mm/mmap.c, special_mapping_vmops).
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

/* include/linux/fs.h, FMODE_BACKING: one of these, and the other means something else. */
#define MAYBE_BACKING (3 << 24)

/*
 * A file of an overlay is mapped as the file below. Its path is that by which
 * the overlay opened it, which the iterator does not hold (path.h). Behind a
 * file that is no such one lies no path: a mount and a name of one filesystem.
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

static __always_inline void write_backed(struct seq_file *seq, struct reader *reader,
					 struct vma *row, struct backing_file *backing)
{
	struct dentry *dentry = READ(backing, user_path.dentry);

	row->dev = READ(dentry, d_inode, i_sb, s_dev);
	row->inode = READ(dentry, d_inode, i_ino);
	row->path_length = walk_path(reader, dentry, READ(backing, user_path.mnt));
	write_row_with_path(seq, row, path, reader, row->path_length);
}

SEC("iter/task_vma")
int dump_vmas(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = begin_rows(ctx->meta, task);
	struct vm_area_struct *vma = ctx->vma;
	struct reader *reader = task_reader(seq, task);
	struct backing_file *backing;
	struct file *file;
	struct vma *row;
	u32 process;
	long size;

	/* A thread with files of its own is visited too, with the same memory. */
	if (!task || !vma || !is_leader(task))
		return 0;
	if (!reader)
		return WITHOUT_READER;
	/*
	 * By the memory that is walked: the walk keeps it while the process may give up
	 * its privileges and run something else, which its user may look into.
	 */
	if (!may_look_into(reader, task, FIELD(vma, vm_mm)))
		return 0;
	process = visible_process(reader, task);
	if (!process)
		return 0;

	file = FIELD(vma, vm_file);
	backing = backing_of(file);
	if (backing) {
		/* Behind the room that the walk fills with the path. */
		row = (struct vma *)(reader->record + PATH_MAX);
		fill(row, task, vma, process);
		SET(row->offset, vma, vm_pgoff);
		write_backed(seq, reader, row, backing);
		return 0;
	}

	row = (struct vma *)reader->record;
	fill(row, task, vma, process);
	if (file) {
		SET(row->offset, vma, vm_pgoff);
		row->dev = FIELD(file, f_inode, i_sb, s_dev);
		row->inode = FIELD(file, f_inode, i_ino);
		size = 1;
		if (HAS(file, f_path))
			size = bpf_d_path(&file->f_path, row->path, PATH_MAX);
		if (size < 1 || size > PATH_MAX)
			size = 1;
		size--;
	} else {
		size = read_name(row->path, vma);
	}
	/* The mask changes nothing; verifiers before 6.13 lose the bound without. */
	row->path_length = IN_PATH(size);
	write_row_and_tail(seq, row, path, IN_PATH(size));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

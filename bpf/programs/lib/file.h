/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Open files: their types. */
#ifndef ITERFS_FILE_H
#define ITERFS_FILE_H

#include "kernel/file.h"
#include "read.h"
#include "socket.h"

/* The names in lsof's TYPE column, except a_inode for anonymous inodes. */
enum file_type {
	file_type__unknown,
	file_type__REG,
	file_type__DIR,
	file_type__CHR,
	file_type__BLK,
	file_type__FIFO,
	file_type__LINK,
	file_type__sock,
	file_type__unix,
	file_type__IPv4,
	file_type__IPv6,
	file_type__netlink,
	file_type__pack,
	file_type__a_inode,
};

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000

/* ABSENT(-1): the kernel does not tell. */
#define UNKNOWN_TYPE ((enum file_type)-1)

/* include/uapi/linux/magic.h */
#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446

static __always_inline enum file_type type_of_socket(struct file *file)
{
	struct socket *socket = FIELD(file, private_data);

	switch (READ(common_of(READ(socket, sk)), skc_family)) {
	case AF_UNIX:
		return file_type__unix;
	case AF_INET:
		return file_type__IPv4;
	case AF_INET6:
		return file_type__IPv6;
	case AF_NETLINK:
		return file_type__netlink;
	case AF_PACKET:
		return file_type__pack;
	}
	return file_type__sock;
}

static __always_inline enum file_type type_of(struct file *file)
{
	u16 type = FIELD(file, f_inode, i_mode) & S_IFMT;
	unsigned long magic;

	if (!HAS(file, f_inode, i_mode) || !HAS(file, f_inode, i_sb, s_magic))
		return UNKNOWN_TYPE;
	switch (type) {
	case S_IFDIR:
		return file_type__DIR;
	case S_IFCHR:
		return file_type__CHR;
	case S_IFBLK:
		return file_type__BLK;
	case S_IFIFO:
		return file_type__FIFO;
	case S_IFLNK:
		return file_type__LINK;
	}
	/* Regular files and sockets may be special ones; the filesystem tells. */
	magic = file->f_inode->i_sb->s_magic;
	/* A pidfd was an anonymous inode before 6.9 and is still shown as one. */
	if (magic == ANON_INODE_FS_MAGIC || magic == PID_FS_MAGIC)
		return file_type__a_inode;
	if (magic == SOCKFS_MAGIC)
		return type_of_socket(file);

	switch (type) {
	case S_IFREG:
		return file_type__REG;
	case S_IFSOCK:
		return file_type__sock;
	}
	return file_type__unknown;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Unix sockets: their names. */
#ifndef ITERFS_UNIX_H
#define ITERFS_UNIX_H

#include "kernel/socket.h"
#include "read.h"

#define UNIX_PATH_MAX 108

struct unix_name {
	/* A power of two, so that a mask can show the verifier the bounds. */
	char path[128];
};

/*
 * Reads the name that a socket is bound to and returns its length; 0 if there is none.
 * The NUL at the start of an abstract name becomes @; other NULs remain.
 */
static __always_inline u32 read_unix_name(struct unix_name *name, struct unix_sock *unix)
{
	struct unix_address *address = READ(unix, addr);
	u32 length;

	if (!address || !HAS(address, name[0].sun_path))
		return 0;
	/* The length counts the address family, too. Read no more than is allocated. */
	length = READ(address, len) - sizeof(u16);
	if (!length || length > UNIX_PATH_MAX + 1)
		return 0;
	barrier_var(length);
	if (bpf_core_read(name->path, length & (sizeof(name->path) - 1),
			  &address->name[0].sun_path))
		return 0;
	if (name->path[0])
		/* The length of a path counts its NUL, which the kernel adds. */
		return length - 1;
	name->path[0] = '@';
	return length;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The name of a unix socket. */
#ifndef ITERFS_UNIX_H
#define ITERFS_UNIX_H

#include "kernel.h"

#define UNIX_PATH_MAX 108

struct unix_name {
	/* Room for the masks that show the verifier the bounds. */
	char path[128];
};

/*
 * Reads the name that a socket is bound to, and returns its length; 0 if none.
 * An abstract name begins with a NUL, shown as @; one within it stays.
 */
static __always_inline u32 read_unix_name(struct unix_name *name, struct unix_sock *unix)
{
	struct unix_address *address = READ(unix, addr);
	u32 length;

	if (!address || !HAS(address, name[0].sun_path))
		return 0;
	/* The length counts the address family. No more than it is allocated. */
	length = READ(address, len) - sizeof(u16);
	if (!length || length > UNIX_PATH_MAX + 1)
		return 0;
	barrier_var(length);
	if (bpf_core_read(name->path, length & (sizeof(name->path) - 1),
			  &address->name[0].sun_path))
		return 0;
	if (name->path[0])
		/* And a path's closing NUL, which the kernel sees to. */
		return length - 1;
	name->path[0] = '@';
	return length;
}

#endif

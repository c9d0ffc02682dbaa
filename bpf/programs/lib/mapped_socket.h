/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tables of the sockets that a BPF map refers to. */
#ifndef ITERFS_MAPPED_SOCKET_H
#define ITERFS_MAPPED_SOCKET_H

#include "map_bytes.h"
#include "row.h"
#include "socket.h"

/* The columns of a socket that a BPF map refers to. */
struct mapped_socket {
	struct socket_ends ends;
	u32 uid ABSENT(-1) DOC("user who created the socket");
	u64 inode KEY ABSENT(0) DOC("inode number, as in /proc/<pid>/fd; none if no process has it open");
	u32 netns ABSENT(0) DOC("inode number of the net namespace it was created in");
};

static __always_inline void read_mapped_socket(struct mapped_socket *socket, struct sock *sk)
{
	read_ends(&socket->ends, sk);
	SET_READ(socket->uid, sk, sk_uid.val);
	socket->inode = inode_of(sk);
	socket->netns = READ(common_of(sk), skc_net.net, ns.inum);
}

/*
 * Writes a row that consists of a mapped socket, as `row->socket`, and of a key or value
 * of the map, whose size is `member` of struct bpf_map and of struct reader.
 */
#define write_mapped_socket(seq, reader, row, sk, map, bytes, member)                              \
	({                                                                                         \
		read_mapped_socket(&(row)->socket, (sk));                                          \
		if (text_mode) {                                                                   \
			__builtin_memcpy((reader)->record, (row), sizeof(*(row)));                 \
			put_bytes((reader), sizeof(*(row)), (bytes), FIELD((map), member));        \
			write_row((seq), (typeof(row))(reader)->record, 0);                        \
		} else if (asking) {                                                               \
			/* The daemon asks nothing of longer keys and values. */                   \
			__builtin_memcpy((reader)->record, (row), sizeof(*(row)));                 \
			put_bytes((reader), sizeof(*(row)), (bytes), (reader)->member);            \
			if (keeps_row((reader)->record, NULL, 0)) {                                \
				bpf_seq_write((seq), (row), sizeof(*(row)));                       \
				write_bytes((seq), (reader), (bytes), (reader)->member);           \
			}                                                                          \
		} else {                                                                           \
			write_row((seq), (row), sizeof(*(row)));                                   \
			write_bytes((seq), (reader), (bytes), (reader)->member);                   \
		}                                                                                  \
	})

#endif

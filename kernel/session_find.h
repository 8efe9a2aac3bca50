/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which session a datagram belongs to: by its connection ID, or, where those are empty, by its sender.
 */
#ifndef _NQD_SESSION_FIND_H
#define _NQD_SESSION_FIND_H

#include <linux/rhashtable-types.h>
#include <linux/string.h>

#include "address.h"
#include "uapi/nexus_quic_dco.h"

struct nqd_session;
struct nqd_socket;

/* A connection ID, or family, port, address and scope of a peer. */
#define NQD_SESSION_KEY_LEN 24
/* As many bytes have the connection IDs that the agent chooses. */
#define NQD_SESSION_CID_USUAL 8

/**
 * struct nqd_session_key - what a session is found by
 * @socket: socket that the datagram came by
 * @bytes: connection ID or address, then zero
 * @words: the same, for the table
 */
struct nqd_session_key {
	const struct nqd_socket *socket;
	union {
		u8 bytes[NQD_SESSION_KEY_LEN];
		u64 words[3];
	};
};

/**
 * struct nqd_session_name - one way to find a session
 * @node: in the table
 * @key: what it is found by
 * @session: whom; holds no reference: names go before the last reference does
 * @rcu: frees it
 */
struct nqd_session_name {
	struct rhash_head node;
	struct nqd_session_key key;
	struct nqd_session *session;
	struct rcu_head rcu;
};

/**
 * struct nqd_session_names - all ways to find a session; protected by nqd_net.lock
 * @name: the first @count are in the table
 * @count: 0 to 8
 */
struct nqd_session_names {
	struct nqd_session_name *name[NQD_LOCAL_CIDS_MAX];
	u32 count;
};

/**
 * nqd_session_cid_copy() - copy a connection ID
 * @to: where to
 * @from: where from
 * @len: its bytes: nearly always those of the agent's own
 */
static inline void nqd_session_cid_copy(u8 *to, const u8 *from, u32 len)
{
	if (likely(len == NQD_SESSION_CID_USUAL))
		memcpy(to, from, NQD_SESSION_CID_USUAL);
	else
		memcpy(to, from, len);
}

struct nqd_session *nqd_session_find(const struct nqd_socket *socket, const u8 *datagram, u32 len,
				     const union nqd_address *remote);
int nqd_session_names_set(struct nqd_session *s, const struct nqd_cid *cids, u32 count);
void nqd_session_names_clear(struct nqd_session *s);

int nqd_session_find_init(void);
void nqd_session_find_exit(void);

#endif /* _NQD_SESSION_FIND_H */

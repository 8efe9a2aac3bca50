/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the session of a datagram: by socket and local connection ID, or, where that has no length,
 * by socket and remote address (RFC 9000 section 5.2).
 */
#ifndef NQE_LOOKUP_H
#define NQE_LOOKUP_H

#include "udp.h"

#define NQE_LOOKUP_KEY 20

/**
 * struct nqe_lookup_key - what a datagram is found by
 * @socket: socket's id
 * @len: bytes of the connection ID, or 0xff for an address
 * @bytes: connection ID or address, zeros behind
 */
struct nqe_lookup_key {
	u32 socket;
	u8 len;
	u8 bytes[NQE_LOOKUP_KEY];
};

/* One slot: @value NULL is a free one. */
struct nqe_lookup_slot {
	struct nqe_lookup_key key;
	void *value;
};

/**
 * struct nqe_lookup - hash table, open addressing
 * @slot: slots
 * @capacity: their number, a power of two or 0
 * @count: slots in use
 * @seed: unpredictable, against peers who choose colliding addresses
 */
struct nqe_lookup {
	struct nqe_lookup_slot *slot;
	u32 capacity;
	u32 count;
	u64 seed[2];
};

int nqe_lookup_init(struct nqe_lookup *t);
void nqe_lookup_free(struct nqe_lookup *t);

struct nqe_lookup_key nqe_lookup_cid(u32 socket, const u8 *cid, u8 len);
struct nqe_lookup_key nqe_lookup_address(u32 socket, const struct nqe_address *remote);

/* Inserts; -EEXIST where the key is taken, -ENOMEM. */
int nqe_lookup_add(struct nqe_lookup *t, const struct nqe_lookup_key *key, void *value);
void *nqe_lookup_get(const struct nqe_lookup *t, const struct nqe_lookup_key *key);
void nqe_lookup_remove(struct nqe_lookup *t, const struct nqe_lookup_key *key);

#endif

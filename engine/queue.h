/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a session has still to send: a queue bounded in bytes, kept short by CoDel (RFC 8289), and
 * the pool of packet buffers behind it.
 */
#ifndef NQE_QUEUE_H
#define NQE_QUEUE_H

#include "vnet.h"

/* Buffer sizes: most packets, moderate super-packets, the largest. */
#define NQE_PACKET_CLASSES 3

/**
 * struct nqe_packet - one packet or super-packet of the device
 * @next: in a queue, or among the free ones
 * @enqueued: when it came, ns
 * @len: bytes of @data
 * @class: which free list it goes back to
 * @vnet: what the device said of it
 * @data: the IP packet
 */
struct nqe_packet {
	struct nqe_packet *next;
	u64 enqueued;
	u32 len;
	u32 class;
	struct nqe_vnet vnet;
	u8 data[];
};

/**
 * struct nqe_pool - packet buffers; all zero is an empty one
 * @free: unused buffers of each class
 * @unused: their number, bounded
 * @bytes: memory of all buffers that are in use
 */
struct nqe_pool {
	struct nqe_packet *free[NQE_PACKET_CLASSES];
	u32 unused[NQE_PACKET_CLASSES];
	u64 bytes;
};

/* A buffer for @len bytes, or NULL without memory. */
struct nqe_packet *nqe_pool_get(struct nqe_pool *pool, u32 len);
void nqe_pool_put(struct nqe_pool *pool, struct nqe_packet *packet);
void nqe_pool_free(struct nqe_pool *pool);

/* Memory that a packet occupies. */
u32 nqe_packet_size(const struct nqe_packet *packet);

/**
 * struct nqe_codel - RFC 8289 section 5: the control law's state
 * @first_above: when the delay will have been above the target for an interval; 0: it is below
 * @drop_next: when to drop again
 * @count: drops since dropping began
 * @last_count: @count when dropping began the time before
 * @dropping: in the dropping state
 */
struct nqe_codel {
	u64 first_above;
	u64 drop_next;
	u32 count;
	u32 last_count;
	bool dropping;
};

/**
 * nqe_codel_drop - decide on the packet at the queue's head
 * @c: state
 * @now: time
 * @sojourn: how long it has waited, ns
 * @backlog: bytes that wait, it included
 * @mtu: a backlog of no more than this is never dropped
 *
 * Return: true: drop it and ask again for the next one.
 */
bool nqe_codel_drop(struct nqe_codel *c, u64 now, u64 sojourn, u64 backlog, u32 mtu);

/**
 * struct nqe_queue - packets of one session, first in first out
 * @head: next to leave
 * @tail: newest
 * @bytes: memory that the packets occupy
 * @limit: most of these
 * @packets: number of packets
 * @codel: delay control
 */
struct nqe_queue {
	struct nqe_packet *head;
	struct nqe_packet *tail;
	u64 bytes;
	u64 limit;
	u32 packets;
	struct nqe_codel codel;
};

/* Appends; false: the queue is full and the packet still the caller's. */
bool nqe_queue_push(struct nqe_queue *q, struct nqe_packet *packet, u64 now);

/* Takes the head off, NULL: empty. */
struct nqe_packet *nqe_queue_pop(struct nqe_queue *q);

#endif

// SPDX-License-Identifier: BSD-3-Clause
#include "queue.h"

#include "tun.h"

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <stdlib.h>

/* RFC 8289 section 4.2 and 4.3: what is right for the public Internet. */
#define CODEL_TARGET (5 * NSEC_PER_MSEC)
#define CODEL_INTERVAL (100 * NSEC_PER_MSEC)
/* Unused buffers that are kept for the next burst. */
#define POOL_KEEP 64

static const u32 nqe_packet_room[NQE_PACKET_CLASSES] = { 2048, 16384, NQE_TUN_MAX_PACKET };

u32 nqe_packet_size(const struct nqe_packet *packet)
{
	return (u32)sizeof(*packet) + nqe_packet_room[packet->class];
}

struct nqe_packet *nqe_pool_get(struct nqe_pool *pool, u32 len)
{
	struct nqe_packet *packet;
	u32 class = 0;

	while (class < NQE_PACKET_CLASSES - 1 && len > nqe_packet_room[class])
		class++;
	packet = pool->free[class];
	if (packet) {
		pool->free[class] = packet->next;
		pool->unused[class]--;
	} else {
		packet = malloc(sizeof(*packet) + nqe_packet_room[class]);
		if (!packet)
			return NULL;
		packet->class = class;
	}
	packet->next = NULL;
	packet->len = len;
	pool->bytes += nqe_packet_size(packet);
	return packet;
}

void nqe_pool_put(struct nqe_pool *pool, struct nqe_packet *packet)
{
	if (!packet)
		return;
	pool->bytes -= nqe_packet_size(packet);
	if (pool->unused[packet->class] == POOL_KEEP) {
		free(packet);
		return;
	}
	packet->next = pool->free[packet->class];
	pool->free[packet->class] = packet;
	pool->unused[packet->class]++;
}

void nqe_pool_free(struct nqe_pool *pool)
{
	struct nqe_packet *packet, *next;
	u32 class;

	for (class = 0; class < NQE_PACKET_CLASSES; class++) {
		for (packet = pool->free[class]; packet; packet = next) {
			next = packet->next;
			free(packet);
		}
		pool->free[class] = NULL;
		pool->unused[class] = 0;
	}
}

/* interval / sqrt(count), by the integer square root of a scaled count. */
static u64 nqe_codel_gap(u32 count)
{
	u64 scaled = (u64)count << 16, root = 0, bit = 1ULL << 48;

	while (bit > scaled)
		bit >>= 2;
	for (; bit; bit >>= 2) {
		if (scaled >= root + bit) {
			scaled -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return ((u64)CODEL_INTERVAL << 8) / (root ? root : 1);
}

bool nqe_codel_drop(struct nqe_codel *c, u64 now, u64 sojourn, u64 backlog, u32 mtu)
{
	bool may = false;

	/* RFC 8289 section 5.4, dodequeue(): above the target for a whole interval? */
	if (sojourn < CODEL_TARGET || backlog <= mtu)
		c->first_above = 0;
	else if (!c->first_above)
		c->first_above = now + CODEL_INTERVAL;
	else
		may = now >= c->first_above;

	/* Section 5.5, deque(). */
	if (c->dropping) {
		if (!may) {
			c->dropping = false;
			return false;
		}
		if (now < c->drop_next)
			return false;
		c->count++;
		c->drop_next += nqe_codel_gap(c->count);
		return true;
	}
	if (!may)
		return false;
	/* Where dropping ended only lately, it goes on about as fast as then. */
	c->dropping = true;
	if (c->count - c->last_count > 1 && now < c->drop_next + 16 * CODEL_INTERVAL)
		c->count -= c->last_count;
	else
		c->count = 1;
	c->last_count = c->count;
	c->drop_next = now + nqe_codel_gap(c->count);
	return true;
}

bool nqe_queue_push(struct nqe_queue *q, struct nqe_packet *packet, u64 now)
{
	u32 size = nqe_packet_size(packet);

	if (q->bytes + size > q->limit)
		return false;
	packet->enqueued = now;
	packet->next = NULL;
	if (q->tail)
		q->tail->next = packet;
	else
		q->head = packet;
	q->tail = packet;
	q->bytes += size;
	q->packets++;
	return true;
}

struct nqe_packet *nqe_queue_pop(struct nqe_queue *q)
{
	struct nqe_packet *packet = q->head;

	if (!packet)
		return NULL;
	q->head = packet->next;
	if (!q->head)
		q->tail = NULL;
	q->bytes -= nqe_packet_size(packet);
	q->packets--;
	packet->next = NULL;
	return packet;
}

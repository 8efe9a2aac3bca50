// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* The ring of sent packets, and acknowledgements in it. */
#include "sent.h"

/* Lowest packet number whose entry is still that packet's. */
static u64 nqd_sent_base(const struct nqd_sent *s)
{
	u64 entries = (u64)s->mask + 1;

	return s->next_pn - s->first_pn > entries ? s->next_pn - entries : s->first_pn;
}

/*
 * RFC 9000 section 17.1: four bytes of packet number reach less than 2^31 above the largest acknowledged.
 * Numbers that can be used; a batch ends within the ring, hence the margin.
 */
static u64 nqd_sent_reachable(const struct nqd_sent *s)
{
	u64 acked = s->largest_acked == NQD_PN_NONE ? 0 : s->largest_acked;
	u64 used = s->next_pn - acked, most = (1ULL << 31) - 1 - NQD_SENT_RING_MAX;

	return used < most ? most - used : 0;
}

/**
 * nqd_sent_init() - nothing in flight
 * @s: ring
 * @ring: memory, the caller's; need not be cleared
 * @entries: a power of two, NQD_SENT_RING_MIN to NQD_SENT_RING_MAX
 * @next_pn: first packet number to be used
 * @largest_acked: largest number below @next_pn that was acknowledged, or NQD_PN_NONE; so near that the
 *	peer can recover @next_pn from four bytes
 *
 * Return: 0, -EINVAL.
 */
int nqd_sent_init(struct nqd_sent *s, struct nqd_sent_packet *ring, u32 entries, u64 next_pn,
		  u64 largest_acked)
{
	BUILD_BUG_ON(sizeof(struct nqd_sent_packet) != 32);

	if (!ring || !is_power_of_2(entries) || entries < NQD_SENT_RING_MIN ||
	    entries > NQD_SENT_RING_MAX || next_pn > NQD_PN_MAX ||
	    (largest_acked != NQD_PN_NONE && largest_acked >= next_pn))
		return -EINVAL;
	memset(s, 0, sizeof(*s));
	s->ring = ring;
	s->mask = entries - 1;
	s->first_pn = next_pn;
	s->next_pn = next_pn;
	s->oldest = next_pn;
	s->largest_acked = largest_acked;
	return nqd_sent_reachable(s) ? 0 : -EINVAL;
}

/*
 * Packets outside of the flight (they carry nothing but ACK frames) must not hold the ring: nothing
 * elicits their acknowledgement, and it tells nothing that is missed.
 */
static void nqd_sent_forget(struct nqd_sent *s)
{
	for (; s->oldest < s->next_pn; s->oldest++) {
		struct nqd_sent_packet *p = nqd_sent_entry(s, s->oldest);

		if ((p->flags & NQD_SENT_STATE_MASK) != NQD_SENT_OUTSTANDING)
			continue;
		if (p->flags & NQD_SENT_IN_FLIGHT)
			return;
		p->flags = (u16)((p->flags & ~NQD_SENT_STATE_MASK) | NQD_SENT_FORGOTTEN);
		s->forgotten++;
	}
}

/**
 * nqd_sent_room() - packets that can be added
 * @s: ring
 *
 * Return: 0 to the number of entries.
 */
u32 nqd_sent_room(struct nqd_sent *s)
{
	u64 reachable = nqd_sent_reachable(s);
	u32 room;

	if (unlikely(!reachable))
		return 0;
	if (unlikely(s->next_pn - s->oldest > s->mask))
		nqd_sent_forget(s);
	room = s->mask + 1 - (u32)(s->next_pn - s->oldest);
	/* RFC 9000 section 12.3: numbers end at 2^62-1. */
	room = (u32)min_t(u64, room, NQD_PN_MAX + 1 - s->next_pn);
	s->room_until = s->next_pn + min_t(u64, room, reachable);
	return room;
}

/**
 * nqd_sent_want_grow() - would a larger ring be better?
 * @s: ring
 *
 * Half of the ring is for packets in flight, the rest remembers lost ones, so that a late
 * acknowledgement is recognised.
 *
 * Return: entries that the new ring should have, 0 if this one will do.
 */
u32 nqd_sent_want_grow(const struct nqd_sent *s)
{
	if (s->next_pn - s->oldest <= s->mask / 2 || s->mask + 1 >= NQD_SENT_RING_MAX)
		return 0;
	return (s->mask + 1) * 2;
}

/**
 * nqd_sent_grow() - move to a larger ring
 * @s: ring
 * @ring: new memory
 * @entries: its size, a power of two above the present one
 *
 * Return: the old memory, no longer used; NULL if @entries is no good and nothing was done.
 */
struct nqd_sent_packet *nqd_sent_grow(struct nqd_sent *s, struct nqd_sent_packet *ring, u32 entries)
{
	struct nqd_sent_packet *old = s->ring;
	u64 base = nqd_sent_base(s);
	u64 pn;

	if (!ring || !is_power_of_2(entries) || entries <= s->mask + 1 || entries > NQD_SENT_RING_MAX)
		return NULL;
	for (pn = base; pn < s->next_pn; pn++)
		ring[(u32)pn & (entries - 1)] = *nqd_sent_entry(s, pn);
	s->ring = ring;
	s->mask = entries - 1;
	s->first_pn = base;
	return old;
}

/* A packet is not waited for any more: its share of the sums ends, its entry says why. */
static void nqd_sent_settle(struct nqd_sent *s, struct nqd_sent_packet *p, u32 state)
{
	if (p->flags & NQD_SENT_IN_FLIGHT)
		s->bytes_in_flight -= p->size;
	if (p->flags & NQD_SENT_ACK_ELICITING)
		s->eliciting--;
	p->flags = (u16)((p->flags & ~NQD_SENT_STATE_MASK) | state);
}

/**
 * nqd_sent_cancel() - a packet got a number but never left
 * @s: ring
 * @pn: its number
 *
 * Return: 0, -ENOENT if it is not outstanding.
 */
int nqd_sent_cancel(struct nqd_sent *s, u64 pn)
{
	struct nqd_sent_packet *p;

	if (pn < s->oldest || pn >= s->next_pn)
		return -ENOENT;
	p = nqd_sent_entry(s, pn);
	if ((p->flags & NQD_SENT_STATE_MASK) != NQD_SENT_OUTSTANDING)
		return -ENOENT;
	nqd_sent_settle(s, p, NQD_SENT_CANCELLED);
	s->cancelled++;
	return 0;
}

/**
 * nqd_sent_set_lost() - declare an outstanding packet lost
 * @s: ring
 * @p: its entry; outside of the flight it is forgotten instead
 *
 * Return: true if a packet in flight was lost.
 */
bool nqd_sent_set_lost(struct nqd_sent *s, struct nqd_sent_packet *p)
{
	bool in_flight = p->flags & NQD_SENT_IN_FLIGHT;

	nqd_sent_settle(s, p, in_flight ? NQD_SENT_LOST : NQD_SENT_FORGOTTEN);
	if (in_flight)
		s->lost++;
	else
		s->forgotten++;
	return in_flight;
}

/**
 * nqd_sent_find() - look up a packet
 * @s: ring
 * @pn: packet number
 *
 * Return: its entry, or NULL if the ring does not hold it (any more).
 */
struct nqd_sent_packet *nqd_sent_find(const struct nqd_sent *s, u64 pn)
{
	if (pn < nqd_sent_base(s) || pn >= s->next_pn)
		return NULL;
	return nqd_sent_entry(s, pn);
}

/**
 * nqd_sent_ack_begin() - before the first range of an ACK frame
 * @a: sums over the frame
 */
void nqd_sent_ack_begin(struct nqd_sent_acked *a)
{
	memset(a, 0, sizeof(*a));
	a->largest = NQD_PN_NONE;
	a->smallest = NQD_PN_NONE;
	a->spurious_smallest = NQD_PN_NONE;
	a->ack_reported = NQD_PN_NONE;
}

/* What happens seldom to a packet acknowledged; kept out of the loop over plain ones. */
static noinline void nqd_sent_acked_rare(struct nqd_sent *s, u64 pn, const struct nqd_sent_packet *p,
					 struct nqd_sent_acked *a, const struct nqd_sent_sink *sink)
{
	u32 state = p->flags & NQD_SENT_STATE_MASK;

	if (state == NQD_SENT_LOST) {
		s->spurious++;
		a->spurious++;
		a->spurious_smallest = min(a->spurious_smallest, pn);
	} else if (state == NQD_SENT_FORGOTTEN) {
		s->forgotten--;
		s->acked++;
	}
	if (p->flags & NQD_SENT_ACK) {
		u64 reported = s->ack_reported - (u32)((u32)s->ack_reported - p->ack_reported);

		if (a->ack_reported == NQD_PN_NONE || reported > a->ack_reported)
			a->ack_reported = reported;
	}
	if ((p->flags & NQD_SENT_TOLD) && sink)
		sink->acked(sink->ctx, pn, p);
}

/**
 * nqd_sent_ack_range() - a range of an ACK frame
 * @s: ring
 * @smallest: first packet number of the range
 * @largest: last one
 * @a: sums over the frame
 * @sink: told about packets with NQD_SENT_TOLD; may be NULL
 *
 * Ranges come newest first. Cost: the packets acknowledged for the first time and, amortised, a
 * constant, however long the range.
 *
 * Return: 0; -EPROTO: a packet that was never sent is acknowledged (RFC 9000 section 13.1).
 */
int nqd_sent_ack_range(struct nqd_sent *s, u64 smallest, u64 largest, struct nqd_sent_acked *a,
		       const struct nqd_sent_sink *sink)
{
	u64 base = nqd_sent_base(s);
	u64 bytes = 0, in_flight_bytes = 0;
	u32 packets = 0, outstanding = 0, eliciting = 0, ect0 = 0, all = 0;
	u64 pn;

	if (unlikely(largest >= s->next_pn))
		return -EPROTO;
	if (unlikely(largest < base))
		return 0;
	smallest = max(smallest, base);
	for (pn = largest;; pn--) {
		struct nqd_sent_packet *p = nqd_sent_entry(s, pn);
		u32 flags = p->flags;
		u32 state = flags & NQD_SENT_STATE_MASK;

		if (state == NQD_SENT_ACKED) {
			/* All down to @smallest is acknowledged now: next time one step will do. */
			u64 run = pn - (u32)((u32)pn - p->run);

			if (run > smallest)
				p->run = (u32)smallest;
			pn = run;
		} else {
			if (unlikely(state == NQD_SENT_CANCELLED))
				return -EPROTO;
			if (a->largest == NQD_PN_NONE) {
				a->largest = pn;
				a->newest = *p;
			}
			a->smallest = pn;
			packets++;
			bytes += p->size;
			all |= flags;
			if (flags & NQD_SENT_ECT0)
				ect0++;
			if (likely(state == NQD_SENT_OUTSTANDING)) {
				outstanding++;
				if (flags & NQD_SENT_IN_FLIGHT)
					in_flight_bytes += p->size;
				if (flags & NQD_SENT_ACK_ELICITING)
					eliciting++;
			}
			if (unlikely(state != NQD_SENT_OUTSTANDING ||
				     (flags & (NQD_SENT_ACK | NQD_SENT_TOLD))))
				nqd_sent_acked_rare(s, pn, p, a, sink);
			p->flags = (u16)((flags & ~NQD_SENT_STATE_MASK) | NQD_SENT_ACKED);
			p->run = (u32)smallest;
		}
		if (pn <= smallest)
			break;
	}
	s->acked += outstanding;
	s->bytes_in_flight -= in_flight_bytes;
	s->eliciting -= eliciting;
	a->packets += packets;
	a->bytes += bytes;
	a->in_flight_bytes += in_flight_bytes;
	a->ect0 += ect0;
	a->flags |= all & ~NQD_SENT_STATE_MASK;
	return 0;
}

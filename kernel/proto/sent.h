/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Packets sent and not forgotten yet: a ring indexed by packet number, and the walk of an ACK over it.
 *
 * Cost: a packet's entry is touched when it is sent, when it is acknowledged and when loss detection
 * passes over it, whatever the number in flight. The walk never visits a run of acknowledged packets
 * twice: each acknowledged entry remembers where its run begins, as in a union-find structure.
 */
#ifndef _NQD_PROTO_SENT_H
#define _NQD_PROTO_SENT_H

#include "base.h"

/* The ring that a session starts with, and the largest (packet numbers in it must fit 32 bits). */
#define NQD_SENT_RING_MIN 256
#define NQD_SENT_RING_MAX (1U << 20)

/* What a packet carries, and the state of its entry, in struct nqd_sent_packet.flags. */
#define NQD_SENT_ACK_ELICITING 0x0001U /* RFC 9002 section 2 */
#define NQD_SENT_IN_FLIGHT 0x0002U /* counts in bytes_in_flight: ack-eliciting or padded */
#define NQD_SENT_CONTROL 0x0004U /* frames that are sent again when lost */
#define NQD_SENT_PMTU_PROBE 0x0008U /* its loss says nothing about congestion: RFC 9000 section 14.4 */
#define NQD_SENT_PROBE 0x0010U /* sent because the PTO fired: RFC 9002 section 6.2.4 */
#define NQD_SENT_ACK 0x0020U /* carries an ACK frame; ack_reported says which */
#define NQD_SENT_DATAGRAM 0x0040U /* carries a DATAGRAM frame: its loss is counted */
#define NQD_SENT_PATH 0x0080U /* carries PATH_CHALLENGE or PATH_RESPONSE */
#define NQD_SENT_ECT0 0x0100U /* left with ECT(0) in its IP header */
#define NQD_SENT_APP_LIMITED 0x0200U /* there was not enough to send: its rate sample is a lower bound */
#define NQD_SENT_STATE_MASK 0xe000U
#define NQD_SENT_OUTSTANDING 0x2000U
#define NQD_SENT_ACKED 0x4000U
#define NQD_SENT_LOST 0x6000U /* kept, so that a late ACK reveals a spurious loss */
#define NQD_SENT_CANCELLED 0x8000U /* its number was taken and never sent: an ACK for it is a lie */
#define NQD_SENT_FORGOTTEN 0xa000U /* was not in flight, and nobody waits for its acknowledgement */

/* The flags for whose packets struct nqd_sent_sink is told. */
#define NQD_SENT_TOLD (NQD_SENT_CONTROL | NQD_SENT_PMTU_PROBE | NQD_SENT_PATH)

/* Ages in an entry are counted in units of 2^6 ns, so that 32 bits hold 274 s; they stop at the end. */
#define NQD_SENT_AGE_SHIFT 6

/**
 * struct nqd_sent_packet - one packet; 32 bytes, two a cache line
 * @time_sent: when it left or leaves (its departure time), ns
 * @size: bytes of the UDP payload
 * @flags: NQD_SENT_*
 * @delivered: bytes delivered when it was sent, modulo 2^32 (delivery rate)
 * @delivered_age: how old that count was then, in units of NQD_SENT_AGE_SHIFT
 * @first_sent_age: how long before it the first packet of its rate sample left, same units
 * @in_flight: bytes in flight with this packet when it was sent; stops at the largest number
 * @ack_reported: NQD_SENT_ACK: the largest packet number that its ACK frame reported, modulo 2^32
 * @run: once acknowledged: lowest packet number, modulo 2^32, of a run of acknowledged ones that ends here
 */
struct nqd_sent_packet {
	u64 time_sent;
	u16 size;
	u16 flags;
	u32 delivered;
	u32 delivered_age;
	u32 first_sent_age;
	u32 in_flight;
	union {
		u32 ack_reported;
		u32 run;
	};
};

/**
 * struct nqd_sent_sink - who is told about packets with a flag of NQD_SENT_TOLD; never called for others
 * @acked: the packet was acknowledged; if the state in its flags is NQD_SENT_LOST, then after @lost
 * @lost: the packet was declared lost
 * @ctx: passed to both
 */
struct nqd_sent_sink {
	void (*acked)(void *ctx, u64 pn, const struct nqd_sent_packet *p);
	void (*lost)(void *ctx, u64 pn, const struct nqd_sent_packet *p);
	void *ctx;
};

/**
 * struct nqd_sent - the ring and what is summed up over it
 * @ring: entries; that of packet number n is n & @mask
 * @mask: number of entries - 1
 * @first_pn: first number that this ring ever held: older ones were sent by another
 * @next_pn: next number to be used
 * @oldest: no entry below is NQD_SENT_OUTSTANDING
 * @room_until: there are entries for all numbers below, maybe more: what limits them only moves up
 * @largest_acked: largest number acknowledged, or NQD_PN_NONE
 * @ack_reported: highest ack_reported that was put into the ring
 * @bytes_in_flight: sum of the sizes of outstanding packets with NQD_SENT_IN_FLIGHT
 * @eliciting: outstanding packets with NQD_SENT_ACK_ELICITING
 * @last_eliciting: when the last of those was sent
 * @sent: packets that were given a number
 * @acked: packets acknowledged, without those of @spurious; @sent is the sum of @acked, @lost, @cancelled,
 *	@forgotten and the outstanding ones
 * @lost: packets declared lost, with those of @spurious
 * @spurious: packets acknowledged after they had been declared lost
 * @cancelled: packets that had a number and were never sent
 * @forgotten: packets outside of the flight given up without a word
 */
struct nqd_sent {
	struct nqd_sent_packet *ring;
	u32 mask;
	u64 first_pn;
	u64 next_pn;
	u64 oldest;
	u64 room_until;
	u64 largest_acked;
	u64 ack_reported;
	u64 bytes_in_flight;
	u64 eliciting;
	u64 last_eliciting;
	u64 sent;
	u64 acked;
	u64 lost;
	u64 spurious;
	u64 cancelled;
	u64 forgotten;
};

/**
 * struct nqd_sent_acked - what one ACK frame acknowledged for the first time
 * @packets: packets, with those that had been declared lost
 * @bytes: their bytes
 * @in_flight_bytes: bytes that left the flight by it (neither lost before nor outside of the flight)
 * @ect0: packets that had left with ECT(0)
 * @spurious: packets that had been declared lost
 * @spurious_smallest: lowest number of these
 * @smallest: lowest number newly acknowledged
 * @largest: highest number newly acknowledged, or NQD_PN_NONE
 * @newest: copy of the entry of @largest, as it was before
 * @flags: all their flags, ORed
 * @ack_reported: highest number that an ACK frame in them reported, or NQD_PN_NONE (RFC 9000 section 13.2.4)
 */
struct nqd_sent_acked {
	u32 packets;
	u32 ect0;
	u64 bytes;
	u64 in_flight_bytes;
	u32 spurious;
	u32 flags;
	u64 spurious_smallest;
	u64 smallest;
	u64 largest;
	u64 ack_reported;
	struct nqd_sent_packet newest;
};

int nqd_sent_init(struct nqd_sent *s, struct nqd_sent_packet *ring, u32 entries, u64 next_pn,
		  u64 largest_acked);
u32 nqd_sent_room(struct nqd_sent *s);
u32 nqd_sent_want_grow(const struct nqd_sent *s);
struct nqd_sent_packet *nqd_sent_grow(struct nqd_sent *s, struct nqd_sent_packet *ring, u32 entries);
int nqd_sent_cancel(struct nqd_sent *s, u64 pn);
bool nqd_sent_set_lost(struct nqd_sent *s, struct nqd_sent_packet *p);
struct nqd_sent_packet *nqd_sent_find(const struct nqd_sent *s, u64 pn);
void nqd_sent_ack_begin(struct nqd_sent_acked *a);
int nqd_sent_ack_range(struct nqd_sent *s, u64 smallest, u64 largest, struct nqd_sent_acked *a,
		       const struct nqd_sent_sink *sink);

/**
 * nqd_sent_next_pn() - the number that the next packet gets
 * @s: ring
 *
 * Return: packet number; above NQD_PN_MAX none may be sent (RFC 9000 section 12.3).
 */
static inline u64 nqd_sent_next_pn(const struct nqd_sent *s)
{
	return s->next_pn;
}

/**
 * nqd_sent_full() - is there no entry for another packet?
 * @s: ring
 *
 * Return: true where nqd_sent_add() would refuse.
 */
static inline bool nqd_sent_full(struct nqd_sent *s)
{
	return unlikely(s->next_pn >= s->room_until) && nqd_sent_room(s) == 0;
}

static inline struct nqd_sent_packet *nqd_sent_entry(const struct nqd_sent *s, u64 pn)
{
	return &s->ring[(u32)pn & s->mask];
}

/**
 * nqd_sent_add() - a packet is sent
 * @s: ring
 * @now: when it leaves, ns; never before the packet before it
 * @size: bytes of UDP payload
 * @flags: NQD_SENT_* without a state
 * @ack_reported: with NQD_SENT_ACK: the largest packet number that its ACK frame reports
 *
 * Its number is what nqd_sent_next_pn() said before.
 *
 * Return: the entry, whose part for the delivery rate is the caller's to fill; NULL: the ring is full.
 */
static inline struct nqd_sent_packet *nqd_sent_add(struct nqd_sent *s, u64 now, u16 size, u16 flags,
						   u64 ack_reported)
{
	struct nqd_sent_packet *p;

	if (unlikely(nqd_sent_full(s)))
		return NULL;
	p = nqd_sent_entry(s, s->next_pn);
	prefetchw(p + 2);
	p->time_sent = now;
	p->size = size;
	p->flags = (u16)(flags | NQD_SENT_OUTSTANDING);
	p->ack_reported = (u32)ack_reported;
	if (flags & NQD_SENT_ACK)
		s->ack_reported = max(s->ack_reported, ack_reported);
	if (flags & NQD_SENT_IN_FLIGHT)
		s->bytes_in_flight += size;
	if (flags & NQD_SENT_ACK_ELICITING) {
		s->eliciting++;
		s->last_eliciting = now;
	}
	s->sent++;
	s->next_pn++;
	return p;
}

#endif

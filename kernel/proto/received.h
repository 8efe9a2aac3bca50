/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Which packet numbers have been received: tells duplicates from new packets (RFC 9000 section
 * 12.3) and is what ACK frames are built from (section 13.2.3).
 *
 * A bitmap over the newest numbers, used as a ring, and a floor: every number below it counts as
 * received. Beside it the newest ranges as a list, so that an ACK frame is built without a search. All
 * calls cost the same however long the connection lives; only a gap in the numbers costs its length
 * divided by 64, at most the bitmap, and a number that arrives late a walk over the list.
 */
#ifndef _NQD_PROTO_RECEIVED_H
#define _NQD_PROTO_RECEIVED_H

#include "base.h"
#include "ecn.h"
#include "pn.h"
#include "uapi/nexus_quic_dco.h"

/* Numbers behind the largest that can still be told apart; a power of two. */
#define NQD_RECEIVED_WINDOW 8192
#define NQD_RECEIVED_WORDS (NQD_RECEIVED_WINDOW / 64)
/* Ranges that can be reported, newest first. */
#define NQD_RECEIVED_RANGES 32

/**
 * struct nqd_received - packet numbers received
 * @largest: largest number received, or NQD_PN_NONE
 * @largest_time: when it arrived
 * @floor: numbers below are refused: received, or too old to know
 * @report_floor: numbers below are left out of ACK frames (RFC 9000 section 13.2.4)
 * @late: smallest number that arrived late and may not have been reported yet, or NQD_PN_NONE
 * @late_mark: @largest when such a number arrived last
 * @ecn: codepoints that the packets carried (RFC 9000 section 13.4.1)
 * @count: entries of @ranges; below NQD_RECEIVED_RANGES they are all ranges from @floor on
 * @ranges: the newest ranges, newest first; those that fell below @floor are cut off when they are read
 * @bitmap: bit pn % NQD_RECEIVED_WINDOW: whether pn, from @floor to @largest, was received
 */
struct nqd_received {
	u64 largest;
	u64 largest_time;
	u64 floor;
	u64 report_floor;
	u64 late;
	u64 late_mark;
	struct nqd_ecn_counts ecn;
	u32 count;
	struct nqd_pn_range ranges[NQD_RECEIVED_RANGES];
	u64 bitmap[NQD_RECEIVED_WORDS];
};

void nqd_received_init(struct nqd_received *r, u64 floor);
int nqd_received_import(struct nqd_received *r, const struct nqd_pn_range *ranges, u32 count,
			u64 floor, u64 now, const struct nqd_ecn_counts *ecn);
bool nqd_received_out_of_order(struct nqd_received *r, u64 pn, u64 now);
void nqd_received_forget(struct nqd_received *r, u64 below);
bool nqd_received_all(const struct nqd_received *r, u64 smallest, u64 largest);
u32 nqd_received_ranges(const struct nqd_received *r, struct nqd_pn_range *ranges, u32 max);

static inline bool nqd_received_bit(const struct nqd_received *r, u64 pn)
{
	return r->bitmap[(pn / 64) % NQD_RECEIVED_WORDS] >> (pn % 64) & 1;
}

/**
 * nqd_received_check() - RFC 9000 section 12.3: was this packet processed before?
 * @r: what was received
 * @pn: number of a packet whose AEAD tag was verified
 *
 * Return: NQD_DROP_NONE for a new packet, else why to drop it.
 */
static inline enum nqd_drop_reason nqd_received_check(const struct nqd_received *r, u64 pn)
{
	if (unlikely(pn < r->floor))
		return NQD_DROP_TOO_OLD;
	if (likely(r->largest == NQD_PN_NONE || pn > r->largest))
		return NQD_DROP_NONE;
	return nqd_received_bit(r, pn) ? NQD_DROP_DUPLICATE : NQD_DROP_NONE;
}

static inline u64 *nqd_received_word(struct nqd_received *r, u64 pn)
{
	return &r->bitmap[(pn / 64) % NQD_RECEIVED_WORDS];
}

static inline void nqd_received_set(struct nqd_received *r, u64 pn)
{
	*nqd_received_word(r, pn) |= 1ULL << (pn % 64);
}

/* The window moves with the largest number; what falls out of it cannot be told apart any more. */
static inline void nqd_received_raise_floor(struct nqd_received *r)
{
	if (r->largest >= NQD_RECEIVED_WINDOW)
		r->floor = max(r->floor, r->largest - (NQD_RECEIVED_WINDOW - 1));
}

/* The largest number so far arrived. */
static inline void nqd_received_advance(struct nqd_received *r, u64 pn, u64 now)
{
	nqd_received_set(r, pn);
	r->largest = pn;
	r->largest_time = now;
	nqd_received_raise_floor(r);
}

/**
 * nqd_received_add() - a packet has been received and is going to be processed
 * @r: what was received
 * @pn: its number, which nqd_received_check() called new
 * @now: when it arrived
 * @ecn: codepoint that it carried
 */
static inline void nqd_received_add(struct nqd_received *r, u64 pn, u64 now, enum nqd_ecn ecn)
{
	if (likely(pn == r->largest + 1 && r->count && pn <= NQD_PN_MAX)) {
		r->ranges[0].largest = pn;
		nqd_received_advance(r, pn, now);
	} else if (!nqd_received_out_of_order(r, pn, now)) {
		return;
	}

	/* RFC 9000 section 13.4.1: every packet counts once; duplicates do not get here. */
	switch (ecn) {
	case NQD_ECN_ECT0:
		r->ecn.ect0++;
		break;
	case NQD_ECN_ECT1:
		r->ecn.ect1++;
		break;
	case NQD_ECN_CE:
		r->ecn.ce++;
		break;
	case NQD_ECN_NOT_ECT:
		break;
	}
}

#endif

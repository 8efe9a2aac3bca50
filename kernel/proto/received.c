// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Which packet numbers have been received. */
#include "received.h"

/* The bits of one word that stand for @from to @to, both in the word of @from. */
static u64 nqd_received_mask(u64 from, u64 to)
{
	return (U64_MAX << (from % 64)) & (U64_MAX >> (63 - to % 64));
}

/* Last number in the word of @pn, or @limit where that comes first. */
static u64 nqd_received_word_end(u64 pn, u64 limit)
{
	u64 last = pn | 63;

	return last < limit ? last : limit;
}

/* @largest is new: make room for @from to it in the ring, as not received. */
static void nqd_received_clear(struct nqd_received *r, u64 from, u64 largest)
{
	u64 to;

	if (largest - from >= NQD_RECEIVED_WINDOW) {
		memset(r->bitmap, 0, sizeof(r->bitmap));
		return;
	}
	for (; from <= largest; from = to + 1) {
		to = nqd_received_word_end(from, largest);
		*nqd_received_word(r, from) &= ~nqd_received_mask(from, to);
	}
}

/* Go down from *@pn to the nearest number whose bit is @set; false where none is, down to @floor. */
static bool nqd_received_find(const struct nqd_received *r, u64 *pn, u64 floor, bool set)
{
	u64 at = *pn;

	for (;;) {
		u64 word = r->bitmap[(at / 64) % NQD_RECEIVED_WORDS];
		u64 first = at & ~63ULL;

		word = (set ? word : ~word) & (U64_MAX >> (63 - at % 64));
		if (word) {
			at = first + (u64)fls64(word) - 1;
			*pn = at;
			return at >= floor;
		}
		if (first <= floor)
			return false;
		at = first - 1;
	}
}

/* Make the list of ranges anew from the bitmap. */
static void nqd_received_list(struct nqd_received *r)
{
	u64 pn = r->largest;

	for (r->count = 0; r->count < NQD_RECEIVED_RANGES; r->count++) {
		struct nqd_pn_range *range = &r->ranges[r->count];

		range->largest = pn;
		if (!nqd_received_find(r, &pn, r->floor, false)) {
			range->smallest = r->floor;
			r->count++;
			break;
		}
		range->smallest = pn + 1;
		if (!nqd_received_find(r, &pn, r->floor, true)) {
			r->count++;
			break;
		}
	}
}

/* A range of one number, the @at-th newest; the oldest is left out where there is no room. */
static void nqd_received_insert(struct nqd_received *r, u32 at, u64 pn)
{
	struct nqd_pn_range *range = &r->ranges[at];

	if (at == NQD_RECEIVED_RANGES)
		return;
	if (r->count < NQD_RECEIVED_RANGES)
		r->count++;
	memmove(range + 1, range, (r->count - 1 - at) * sizeof(*range));
	range->smallest = pn;
	range->largest = pn;
}

/* The number between a range and the next arrived: they are one. The next of the last is not in the list. */
static void nqd_received_join(struct nqd_received *r, u32 at)
{
	struct nqd_pn_range *range = &r->ranges[at];

	if (r->count == NQD_RECEIVED_RANGES) {
		/* An older range that had no room comes into the list, or is part of this one. */
		nqd_received_list(r);
		return;
	}
	range->smallest = range[1].smallest;
	r->count--;
	memmove(range + 1, range + 2, (r->count - 1 - at) * sizeof(*range));
}

/* A number arrived late. */
static void nqd_received_fill(struct nqd_received *r, u64 pn)
{
	struct nqd_pn_range *range = r->ranges;
	u32 at = 0;

	nqd_received_set(r, pn);
	/* It has to be reported, whatever the peer knows of its neighbours. */
	r->report_floor = min(r->report_floor, pn);
	r->late = min(r->late, pn);
	r->late_mark = r->largest;

	while (at < r->count && range[at].smallest > pn + 1)
		at++;
	if (at < r->count && range[at].smallest == pn + 1) {
		range[at].smallest = pn;
		if (at + 1 == NQD_RECEIVED_RANGES ||
		    (at + 1 < r->count && range[at + 1].largest + 1 == pn))
			nqd_received_join(r, at);
	} else if (at < r->count && range[at].largest + 1 == pn) {
		range[at].largest = pn;
	} else {
		nqd_received_insert(r, at, pn);
	}
}

/**
 * nqd_received_init() - nothing has been received
 * @r: to initialise
 * @floor: packet numbers below are refused
 */
void nqd_received_init(struct nqd_received *r, u64 floor)
{
	memset(r, 0, sizeof(*r));
	r->largest = NQD_PN_NONE;
	r->largest_time = NQD_TIME_NEVER;
	r->floor = floor;
	r->late = NQD_PN_NONE;
}

/**
 * nqd_received_import() - go on where another implementation of this connection stopped
 * @r: to initialise
 * @ranges: numbers received, from @floor on; newest first, and none touches the next
 * @count: of @ranges; 0 where nothing was received
 * @floor: numbers below were all received, or are too old to know
 * @now: stands in for the time when the largest arrived
 * @ecn: counts of the codepoints received so far
 *
 * Return: 0, or -EINVAL where the ranges are out of order or out of bounds; @r is then as after
 * nqd_received_init().
 */
int nqd_received_import(struct nqd_received *r, const struct nqd_pn_range *ranges, u32 count,
			u64 floor, u64 now, const struct nqd_ecn_counts *ecn)
{
	u64 limit = NQD_PN_MAX;
	u64 pn, to;
	u32 i;

	nqd_received_init(r, floor);
	if (floor > NQD_PN_MAX + 1 || ecn->ect0 > NQD_PN_MAX || ecn->ect1 > NQD_PN_MAX ||
	    ecn->ce > NQD_PN_MAX)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (ranges[i].largest > limit || ranges[i].smallest > ranges[i].largest ||
		    ranges[i].smallest < floor)
			return -EINVAL;
		/* A number is missing between a range and the next; none fits below 0 or 1. */
		if (ranges[i].smallest < 2 && i + 1 < count)
			return -EINVAL;
		limit = ranges[i].smallest - 2;
	}
	r->ecn = *ecn;
	if (count == 0)
		return 0;

	r->largest = ranges[0].largest;
	r->largest_time = now;
	nqd_received_raise_floor(r);
	for (i = 0; i < count && ranges[i].largest >= r->floor; i++) {
		for (pn = max(ranges[i].smallest, r->floor); pn <= ranges[i].largest; pn = to + 1) {
			to = nqd_received_word_end(pn, ranges[i].largest);
			*nqd_received_word(r, pn) |= nqd_received_mask(pn, to);
		}
	}
	nqd_received_list(r);
	return 0;
}

/**
 * nqd_received_out_of_order() - what nqd_received_add() does unless the number follows the largest
 * @r: what was received
 * @pn: number: the first of all, one after a gap, or one that arrived late
 * @now: when it arrived
 *
 * Return: false for one that is not new.
 */
bool nqd_received_out_of_order(struct nqd_received *r, u64 pn, u64 now)
{
	if (WARN_ON_ONCE(pn > NQD_PN_MAX || nqd_received_check(r, pn) != NQD_DROP_NONE))
		return false;
	if (r->largest != NQD_PN_NONE && pn < r->largest) {
		nqd_received_fill(r, pn);
		return true;
	}
	if (r->largest != NQD_PN_NONE)
		nqd_received_clear(r, r->largest + 1, pn);
	nqd_received_insert(r, 0, pn);
	nqd_received_advance(r, pn, now);
	return true;
}

/**
 * nqd_received_forget() - RFC 9000 section 13.2.4: the peer has received an ACK for older numbers
 * @r: what was received
 * @below: one more than the Largest Acknowledged of the ACK frame that was acknowledged
 *
 * They are still known, so that duplicates are recognised, but not reported any more. Only those that
 * arrived late are, until an ACK frame that was certainly built later is acknowledged: the one that was
 * may have been built before they came.
 */
void nqd_received_forget(struct nqd_received *r, u64 below)
{
	if (r->late != NQD_PN_NONE) {
		if (below > r->late_mark + 1)
			r->late = NQD_PN_NONE;
		else
			below = min(below, r->late);
	}
	r->report_floor = max(r->report_floor, below);
}

/**
 * nqd_received_all() - were all these packets received?
 * @r: what was received
 * @smallest: first number
 * @largest: last number; below @smallest: no number at all
 *
 * Return: false if one of them is known to be missing; numbers below the floor count as received.
 */
bool nqd_received_all(const struct nqd_received *r, u64 smallest, u64 largest)
{
	u64 pn, to, mask;

	if (smallest > largest || largest < r->floor)
		return true;
	if (r->largest == NQD_PN_NONE || largest > r->largest)
		return false;
	for (pn = max(smallest, r->floor); pn <= largest; pn = to + 1) {
		to = nqd_received_word_end(pn, largest);
		mask = nqd_received_mask(pn, to);
		if ((r->bitmap[(pn / 64) % NQD_RECEIVED_WORDS] & mask) != mask)
			return false;
	}
	return true;
}

/**
 * nqd_received_ranges() - what an ACK frame has to say
 * @r: what was received
 * @ranges: for the result, newest first
 * @max: room in @ranges; the oldest are left out where it does not suffice
 *
 * RFC 9000 section 13.2.3: the largest number is always part of it.
 *
 * Return: number of ranges, at most NQD_RECEIVED_RANGES; 0 only where nothing was received or @max is 0.
 */
u32 nqd_received_ranges(const struct nqd_received *r, struct nqd_pn_range *ranges, u32 max)
{
	u64 floor = min(max(r->floor, r->report_floor), r->largest);
	u32 count;

	max = min(max, r->count);
	for (count = 0; count < max && r->ranges[count].largest >= floor; count++) {
		ranges[count] = r->ranges[count];
		if (ranges[count].smallest < floor)
			ranges[count].smallest = floor;
	}
	return count;
}

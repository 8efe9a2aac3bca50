/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* RFC 9000 section 17.1: packet numbers, and how the wire carries them. */
#ifndef _NQD_PROTO_PN_H
#define _NQD_PROTO_PN_H

#include "base.h"

/* RFC 9000 section 17.3.1: bits of the first byte that are the packet number's length less one. */
#define NQD_PN_LEN_MASK 0x03

u32 nqd_pn_truncate(u64 pn, u8 pn_len);
u32 nqd_pn_get(const u8 *p, u8 pn_len);
u8 *nqd_pn_put(u8 *p, u64 pn, u8 pn_len);

/**
 * nqd_pn_put_within() - write a truncated packet number in front of what is there already
 * @p: where to; four bytes are there, whatever its length, and those behind it stay as they are
 * @pn: packet number
 * @pn_len: bytes to write, 1 to 4
 */
static inline void nqd_pn_put_within(u8 *p, u64 pn, u8 pn_len)
{
	unsigned int rest = 32 - 8 * (unsigned int)pn_len;
	u32 behind = get_unaligned_be32(p) & ((1U << rest) - 1);

	put_unaligned_be32((u32)pn << rest | behind, p);
}

/**
 * nqd_pn_len() - RFC 9000 section 17.1: bytes that a packet number needs on the wire
 * @pn: packet number to send
 * @largest_acked: largest packet number that the peer acknowledged, or NQD_PN_NONE; below @pn
 *
 * Return: 1 to 4, or 0 where no length suffices: the peer is 2^31 packets behind.
 */
static inline u8 nqd_pn_len(u64 pn, u64 largest_acked)
{
	u64 distance = largest_acked == NQD_PN_NONE ? pn + 1 : pn - largest_acked;

	/*
	 * The size must represent more than twice as large a range as the distance. (The sample
	 * algorithm of appendix A.2 yields exactly twice for distances of 2^7, 2^15 and 2^23.)
	 */
	if (distance < 1ULL << 7)
		return 1;
	if (distance < 1ULL << 15)
		return 2;
	if (distance < 1ULL << 23)
		return 3;
	return distance < 1ULL << 31 ? 4 : 0;
}

/**
 * nqd_pn_decode() - RFC 9000 appendix A.3: recover a packet number
 * @largest: largest packet number received and authenticated, or NQD_PN_NONE
 * @truncated: the number in the packet
 * @pn_len: bytes it has there, 1 to 4
 *
 * Return: the number nearest to the next expected one, or NQD_PN_NONE where that is above 2^62-1.
 */
static inline u64 nqd_pn_decode(u64 largest, u32 truncated, u8 pn_len)
{
	/* None yet is the largest u64: one more is 0. */
	u64 expected = largest + 1;
	u64 window = 1ULL << (8 * pn_len);
	u64 half = window / 2;
	unsigned int rest = 32 - 8 * (unsigned int)pn_len;
	/* How far it lies behind the expected one, with a sign: the low bits say it. */
	s32 behind = (s32)(((u32)expected - truncated) << rest) >> rest;
	u64 pn = expected - (u64)(s64)behind;

	BUILD_BUG_ON(NQD_PN_NONE + 1 != 0);
	if (likely(pn <= NQD_PN_MAX))
		return pn;
	pn = (expected & ~(window - 1)) | truncated;
	/* The appendix' conditions, with the terms moved so that nothing wraps below zero. */
	if (pn + half <= expected && pn < (1ULL << 62) - window)
		pn += window;
	else if (pn > expected + half && pn >= window)
		pn -= window;
	/* The appendix stops short of this: beyond 2^62-1 a candidate can remain. */
	return pn <= NQD_PN_MAX ? pn : NQD_PN_NONE;
}

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* RFC 9000 section 17.1: packet numbers on the wire. */
#include "pn.h"

/**
 * nqd_pn_decode() - RFC 9000 appendix A.3: recover a packet number
 * @largest: largest packet number received and authenticated, or NQD_PN_NONE
 * @truncated: the number in the packet
 * @pn_len: bytes it has there, 1 to 4
 *
 * Return: the number nearest to the next expected one, or NQD_PN_NONE where that is above 2^62-1.
 */
u64 nqd_pn_decode(u64 largest, u32 truncated, u8 pn_len)
{
	u64 expected = largest == NQD_PN_NONE ? 0 : largest + 1;
	u64 window = 1ULL << (8 * pn_len);
	u64 half = window / 2;
	u64 pn = (expected & ~(window - 1)) | truncated;

	/* The appendix' conditions, with the terms moved so that nothing wraps below zero. */
	if (pn + half <= expected && pn < (1ULL << 62) - window)
		pn += window;
	else if (pn > expected + half && pn >= window)
		pn -= window;
	/* The appendix stops short of this: beyond 2^62-1 a candidate can remain. */
	return pn <= NQD_PN_MAX ? pn : NQD_PN_NONE;
}

/**
 * nqd_pn_len() - RFC 9000 section 17.1: bytes that a packet number needs on the wire
 * @pn: packet number to send
 * @largest_acked: largest packet number that the peer acknowledged, or NQD_PN_NONE; below @pn
 *
 * Return: 1 to 4, or 0 where no length suffices: the peer is 2^31 packets behind.
 */
u8 nqd_pn_len(u64 pn, u64 largest_acked)
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
 * nqd_pn_truncate() - the part of a packet number that goes on the wire
 * @pn: packet number
 * @pn_len: bytes for it, 1 to 4
 *
 * Return: the least significant @pn_len bytes of @pn.
 */
u32 nqd_pn_truncate(u64 pn, u8 pn_len)
{
	return (u32)(pn & ((1ULL << (8 * pn_len)) - 1));
}

/**
 * nqd_pn_get() - read a truncated packet number
 * @p: where it begins, header protection removed
 * @pn_len: bytes it has, 1 to 4
 *
 * Return: what nqd_pn_decode() takes.
 */
u32 nqd_pn_get(const u8 *p, u8 pn_len)
{
	u32 truncated = 0;
	u8 i;

	for (i = 0; i < pn_len; i++)
		truncated = truncated << 8 | p[i];
	return truncated;
}

/**
 * nqd_pn_put() - write a packet number, truncated
 * @p: where to; there is room for @pn_len bytes
 * @pn: packet number
 * @pn_len: 1 to 4, from nqd_pn_len()
 *
 * Return: the byte after it.
 */
u8 *nqd_pn_put(u8 *p, u64 pn, u8 pn_len)
{
	u8 i;

	for (i = 0; i < pn_len; i++)
		p[i] = (u8)(pn >> (8 * (pn_len - 1 - i)));
	return p + pn_len;
}

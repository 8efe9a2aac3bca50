/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Pacing: RFC 9002 section 7.7. A token bucket kept as the one time at which it is full again, so
 * that each packet gets its departure time by an addition.
 */
#ifndef _NQD_PROTO_PACER_H
#define _NQD_PROTO_PACER_H

#include "math.h"

/* Fixed point of the time a byte takes. */
#define NQD_PACER_SHIFT 20

/**
 * struct nqd_pacer - pace of one connection
 * @rate: bytes a second; 0: no pacing
 * @burst: bytes that may leave at once after a pause
 * @byte_time: ns a byte, in units of 2^-NQD_PACER_SHIFT
 * @burst_time: time that @burst bytes take, ns
 * @full_at: when the bucket is (or was) full again if nothing more is sent, ns
 */
struct nqd_pacer {
	u64 rate;
	u32 burst;
	u64 byte_time;
	u64 burst_time;
	u64 full_at;
};

void nqd_pacer_init(struct nqd_pacer *p, u64 now);
void nqd_pacer_set(struct nqd_pacer *p, u64 now, u64 rate, u32 mss);
u32 nqd_pacer_budget(const struct nqd_pacer *p, u64 now, u32 size, u32 max_packets);

static inline u64 nqd_pacer_time(const struct nqd_pacer *p, u32 bytes)
{
	return nqd_mul_shr(p->byte_time, bytes, NQD_PACER_SHIFT);
}

/**
 * nqd_pacer_when() - when may the next packet leave?
 * @p: pacer
 * @now: time, ns
 *
 * Return: @now or later, ns.
 */
static inline u64 nqd_pacer_when(const struct nqd_pacer *p, u64 now)
{
	return max(now, nqd_sub_sat(p->full_at, p->burst_time));
}

/**
 * nqd_pacer_sent() - a packet leaves
 * @p: pacer
 * @now: when, ns
 * @size: bytes
 */
static inline void nqd_pacer_sent(struct nqd_pacer *p, u64 now, u32 size)
{
	p->full_at = max(p->full_at, now) + nqd_pacer_time(p, size);
}

#endif

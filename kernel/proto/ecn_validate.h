/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* Whether the path carries our ECN marks: RFC 9000 section 13.4.2 and appendix A.4. */
#ifndef _NQD_PROTO_ECN_VALIDATE_H
#define _NQD_PROTO_ECN_VALIDATE_H

#include "ecn.h"
#include "math.h"

/* RFC 9000 appendix A.4: so many packets, or three PTO, are marked before validation decides. */
#define NQD_ECN_TEST_PACKETS 10

/**
 * struct nqd_ecn_validate - our marks and the peer's reports of them
 * @state: RFC 9000 appendix A.4: packets are marked while testing and where the path is capable; FAILED
 *	throughout where marks are not wanted
 * @marked: packets sent with ECT(0)
 * @tested: of these, those sent while testing
 * @lost: marked packets declared lost before validation
 * @deadline: end of testing, or NQD_TIME_NEVER
 * @reported: counts of the newest ACK frame
 */
struct nqd_ecn_validate {
	enum nqd_ecn_state state;
	u64 marked;
	u64 tested;
	u64 lost;
	u64 deadline;
	struct nqd_ecn_counts reported;
};

void nqd_ecn_validate_init(struct nqd_ecn_validate *e, bool wanted);
void nqd_ecn_validate_restart(struct nqd_ecn_validate *e, bool wanted);
void nqd_ecn_validate_import(struct nqd_ecn_validate *e, const struct nqd_ecn_counts *reported, u64 marked);
void nqd_ecn_validate_on_lost(struct nqd_ecn_validate *e, u32 packets);
u64 nqd_ecn_validate_on_ack(struct nqd_ecn_validate *e, const struct nqd_ecn_counts *counts,
			    u32 newly_acked_ect0, bool largest_advanced);

/**
 * nqd_ecn_validate_mark() - how the next packet is to be marked
 * @e: state
 *
 * Return: the codepoint for its IP header.
 */
static inline enum nqd_ecn nqd_ecn_validate_mark(const struct nqd_ecn_validate *e)
{
	if (e->state == NQD_ECN_STATE_TESTING || e->state == NQD_ECN_STATE_CAPABLE)
		return NQD_ECN_ECT0;
	return NQD_ECN_NOT_ECT;
}

/**
 * nqd_ecn_validate_on_sent() - a packet left with ECT(0)
 * @e: state
 * @now: time, ns
 * @pto: PTO period, ns
 */
static inline void nqd_ecn_validate_on_sent(struct nqd_ecn_validate *e, u64 now, u64 pto)
{
	e->marked++;
	if (e->state != NQD_ECN_STATE_TESTING)
		return;
	/* RFC 9000 appendix A.4: testing lasts for a number of packets or a limited time. */
	e->tested++;
	if (e->deadline == NQD_TIME_NEVER)
		e->deadline = nqd_add_sat(now, 3 * pto);
	if (e->tested >= NQD_ECN_TEST_PACKETS || now >= e->deadline)
		e->state = NQD_ECN_STATE_UNKNOWN;
}

#endif

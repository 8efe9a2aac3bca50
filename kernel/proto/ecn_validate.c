// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Whether the path carries our ECN marks: RFC 9000 section 13.4.2 and appendix A.4. */
#include "ecn_validate.h"
#include "math.h"

/**
 * nqd_ecn_validate_init() - begin testing the path
 * @e: state
 * @wanted: false: packets are never marked
 */
void nqd_ecn_validate_init(struct nqd_ecn_validate *e, bool wanted)
{
	memset(e, 0, sizeof(*e));
	e->state = wanted ? NQD_ECN_STATE_TESTING : NQD_ECN_STATE_FAILED;
	e->deadline = NQD_TIME_NEVER;
}

/**
 * nqd_ecn_validate_restart() - test the path again, or mark nothing any more
 * @e: state
 * @wanted: test it
 *
 * RFC 9000 section 13.4.2.2 allows it; what was marked and reported before still counts.
 */
void nqd_ecn_validate_restart(struct nqd_ecn_validate *e, bool wanted)
{
	e->state = wanted ? NQD_ECN_STATE_TESTING : NQD_ECN_STATE_FAILED;
	e->tested = 0;
	e->lost = 0;
	e->deadline = NQD_TIME_NEVER;
}

/**
 * nqd_ecn_validate_import() - marks were sent before
 * @e: state, initialised
 * @reported: the peer's counts so far
 * @marked: packets sent with ECT(0) so far
 */
void nqd_ecn_validate_import(struct nqd_ecn_validate *e, const struct nqd_ecn_counts *reported, u64 marked)
{
	e->reported = *reported;
	e->marked = marked;
}

/**
 * nqd_ecn_validate_on_lost() - packets with ECT(0) were declared lost
 * @e: state
 * @packets: how many
 */
void nqd_ecn_validate_on_lost(struct nqd_ecn_validate *e, u32 packets)
{
	if (e->state != NQD_ECN_STATE_TESTING && e->state != NQD_ECN_STATE_UNKNOWN)
		return;
	/* RFC 9000 section 13.4.2: a path that drops every marked packet. */
	e->lost += packets;
	if (e->lost >= e->tested && e->state == NQD_ECN_STATE_UNKNOWN)
		e->state = NQD_ECN_STATE_FAILED;
}

/**
 * nqd_ecn_validate_on_ack() - an ACK frame acknowledged something new
 * @e: state
 * @counts: its ECN counts, NULL if it has none
 * @newly_acked_ect0: packets newly acknowledged that had left with ECT(0)
 * @largest_advanced: the frame raised the largest acknowledged number
 *
 * Return: packets newly reported as CE-marked: congestion, once it is believed.
 */
u64 nqd_ecn_validate_on_ack(struct nqd_ecn_validate *e, const struct nqd_ecn_counts *counts,
			    u32 newly_acked_ect0, bool largest_advanced)
{
	u64 ce;

	if (e->state == NQD_ECN_STATE_FAILED)
		return 0;
	/* RFC 9000 section 13.4.2.1: marked packets must be reported as such. */
	if (!counts) {
		if (newly_acked_ect0)
			e->state = NQD_ECN_STATE_FAILED;
		return 0;
	}
	/* RFC 9000 section 13.4.2.1: counts in reordered ACK frames are older than those seen. */
	if (!largest_advanced)
		return 0;
	if (counts->ect0 < e->reported.ect0 || counts->ce < e->reported.ce ||
	    counts->ect1 != 0 || counts->ect0 > e->marked ||
	    counts->ect0 - e->reported.ect0 + (counts->ce - e->reported.ce) < newly_acked_ect0) {
		e->state = NQD_ECN_STATE_FAILED;
		return 0;
	}
	ce = counts->ce - e->reported.ce;
	e->reported = *counts;
	if (newly_acked_ect0)
		e->state = NQD_ECN_STATE_CAPABLE;
	return e->state == NQD_ECN_STATE_CAPABLE ? ce : 0;
}

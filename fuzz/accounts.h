/* SPDX-License-Identifier: BSD-3-Clause */
/* The books of the sent ring, audited: sums kept on the way against sums over the entries. */
#ifndef _FUZZ_ACCOUNTS_H
#define _FUZZ_ACCOUNTS_H

#include "recovery.h"
#include "script.h"

/* Steps of a script between two audits; a mistake in the books stays in them. */
#define AUDIT_INTERVAL 16

static inline void audit_recovery(const struct nqd_recovery *r)
{
	const struct nqd_sent *s = &r->sent;
	u64 entries = (u64)s->mask + 1;
	u64 held = s->next_pn - s->first_pn;
	u64 base = held > entries ? s->next_pn - entries : s->first_pn;
	u64 in_flight = 0, eliciting = 0, outstanding = 0, last_sent = 0;
	u64 pn;

	CHECK(s->first_pn <= s->oldest && s->oldest <= s->next_pn);
	CHECK(s->next_pn - s->oldest <= entries);
	CHECK(s->largest_acked == NQD_PN_NONE || s->largest_acked < s->next_pn);
	for (pn = base; pn < s->next_pn; pn++) {
		const struct nqd_sent_packet *p = &s->ring[pn & s->mask];

		CHECK(p->time_sent >= last_sent);
		last_sent = p->time_sent;
		if ((p->flags & NQD_SENT_STATE_MASK) != NQD_SENT_OUTSTANDING)
			continue;
		CHECK(pn >= s->oldest);
		outstanding++;
		if (p->flags & NQD_SENT_IN_FLIGHT)
			in_flight += p->size;
		if (p->flags & NQD_SENT_ACK_ELICITING)
			eliciting++;
	}
	CHECK(s->bytes_in_flight == in_flight);
	CHECK(s->eliciting == eliciting);
	/* Every packet is accounted for once. */
	CHECK(s->sent == s->acked + s->lost + s->cancelled + s->forgotten + outstanding);
	CHECK(s->spurious <= s->lost);

	CHECK(r->cc.cwnd >= nqd_cc_min_window(&r->cc));
	CHECK(r->rtt.smoothed > 0);
	/* RFC 9002 section 6.2.1: something that elicits an ACK is always watched by a timer. */
	CHECK(!eliciting || nqd_recovery_deadline(r) != NQD_TIME_NEVER);
}

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Delivery rate estimation. */
#include "delivery.h"
#include "math.h"

/**
 * nqd_delivery_init() - nothing delivered yet
 * @d: estimator
 * @now: time, ns
 */
void nqd_delivery_init(struct nqd_delivery *d, u64 now)
{
	memset(d, 0, sizeof(*d));
	d->delivered_time = now;
	d->first_sent_time = now;
}

/**
 * nqd_delivery_on_ack() - take the sample that an ACK frame gives
 * @d: estimator
 * @a: what it acknowledged, not nothing
 * @min_rtt: smallest round trip known, ns
 * @now: time, ns
 * @rs: filled
 */
void nqd_delivery_on_ack(struct nqd_delivery *d, const struct nqd_sent_acked *a, u64 min_rtt, u64 now,
			 struct nqd_rate_sample *rs)
{
	const struct nqd_sent_packet *p = &a->newest;
	u64 sent_span = (u64)p->first_sent_age << NQD_SENT_AGE_SHIFT;
	u64 prior_time = nqd_sub_sat(p->time_sent, (u64)p->delivered_age << NQD_SENT_AGE_SHIFT);

	rs->prior_delivered = d->delivered - (u32)((u32)d->delivered - p->delivered);
	d->delivered += a->bytes;
	d->delivered_time = now;
	d->first_sent_time = p->time_sent;
	if (d->app_limited && d->delivered > d->app_limited)
		d->app_limited = 0;

	rs->delivered = d->delivered - rs->prior_delivered;
	/* The slower of sending and acknowledging: ACKs may come in bursts. */
	rs->interval = max(sent_span, nqd_sub_sat(now, prior_time));
	rs->in_flight_sent = p->in_flight;
	rs->app_limited = p->flags & NQD_SENT_APP_LIMITED;
	/* A sample over less than a round trip is an artefact of bunched ACKs. */
	if (rs->interval < min_rtt)
		rs->interval = 0;
}

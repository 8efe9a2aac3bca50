/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Delivery rate estimation: how fast the path delivered what was sent lately.
 * draft-ietf-ccwg-bbr section 4.1 (draft-cheng-iccrg-delivery-rate-estimation before).
 */
#ifndef _NQD_PROTO_DELIVERY_H
#define _NQD_PROTO_DELIVERY_H

#include "math.h"
#include "sent.h"

/**
 * struct nqd_delivery - the connection's part
 * @delivered: bytes acknowledged so far
 * @delivered_time: when that number last changed, ns
 * @first_sent_time: when the first packet of the present sample was sent, ns
 * @app_limited: samples are lower bounds until so much is delivered; 0: not limited by the application
 */
struct nqd_delivery {
	u64 delivered;
	u64 delivered_time;
	u64 first_sent_time;
	u64 app_limited;
};

/**
 * struct nqd_rate_sample - what one ACK frame says about the path
 * @interval: time over which it was measured, ns; 0: no valid sample
 * @delivered: bytes delivered within it
 * @prior_delivered: connection's count when the newest packet acknowledged was sent
 * @in_flight_sent: bytes in flight when that packet was sent
 * @app_limited: the sender had too little to send: the path may be faster
 */
struct nqd_rate_sample {
	u64 interval;
	u64 delivered;
	u64 prior_delivered;
	u64 in_flight_sent;
	bool app_limited;
};

void nqd_delivery_init(struct nqd_delivery *d, u64 now);
void nqd_delivery_on_ack(struct nqd_delivery *d, const struct nqd_sent_acked *a, u64 min_rtt, u64 now,
			 struct nqd_rate_sample *rs);

/**
 * nqd_delivery_rate() - the rate of a sample
 * @rs: sample
 *
 * Not part of the sample: not every algorithm asks, and it is a division.
 *
 * Return: bytes a second, 0: no valid sample.
 */
static inline u64 nqd_delivery_rate(const struct nqd_rate_sample *rs)
{
	return rs->interval ? nqd_mul_div(rs->delivered, NSEC_PER_SEC, rs->interval) : 0;
}

static inline u32 nqd_delivery_age(u64 now, u64 then)
{
	return (u32)min_t(u64, nqd_sub_sat(now, then) >> NQD_SENT_AGE_SHIFT, U32_MAX);
}

/**
 * nqd_delivery_on_sent() - put the connection's state into a packet's entry
 * @d: estimator
 * @p: the entry, with time_sent, size and flags
 * @bytes_in_flight: with this packet
 */
static inline void nqd_delivery_on_sent(struct nqd_delivery *d, struct nqd_sent_packet *p,
					u64 bytes_in_flight)
{
	/* After a pause, the time without anything in flight says nothing about the path. */
	if (bytes_in_flight <= p->size) {
		d->first_sent_time = p->time_sent;
		d->delivered_time = p->time_sent;
	}
	p->delivered = (u32)d->delivered;
	p->delivered_age = nqd_delivery_age(p->time_sent, d->delivered_time);
	p->first_sent_age = nqd_delivery_age(p->time_sent, d->first_sent_time);
	p->in_flight = (u32)min_t(u64, bytes_in_flight, U32_MAX);
	if (d->app_limited)
		p->flags |= NQD_SENT_APP_LIMITED;
}

/**
 * nqd_delivery_app_limited() - there is nothing left to send
 * @d: estimator
 * @bytes_in_flight: now
 */
static inline void nqd_delivery_app_limited(struct nqd_delivery *d, u64 bytes_in_flight)
{
	d->app_limited = max_t(u64, d->delivered + bytes_in_flight, 1);
}

#endif

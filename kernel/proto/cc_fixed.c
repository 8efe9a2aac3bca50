// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* fixed_rate_test: a set rate whatever the path says. For the lab; nqd_cc_init() guards it. */
#include "cc.h"
#include "math.h"

/* The window only bounds memory: so much time at the set rate. */
#define NQD_CC_FIXED_WINDOW_SECONDS 2

static void nqd_cc_fixed_init(struct nqd_cc *cc, u64 now)
{
	cc->cwnd = max(nqd_mul_sat(cc->fixed_rate, NQD_CC_FIXED_WINDOW_SECONDS), nqd_cc_min_window(cc));
}

static void nqd_cc_fixed_on_ack(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
}

static void nqd_cc_fixed_on_congestion(struct nqd_cc *cc, u64 now, u64 prior_in_flight, bool ce)
{
}

const struct nqd_cc_ops nqd_cc_fixed_ops = {
	.name = "fixed_rate_test",
	.init = nqd_cc_fixed_init,
	.on_ack = nqd_cc_fixed_on_ack,
	.on_congestion = nqd_cc_fixed_on_congestion,
	.on_persistent = nqd_cc_fixed_init,
};

/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* HyStart++: leaving slow start before the queue overflows. RFC 9406. */
#ifndef _NQD_PROTO_CC_HYSTART_H
#define _NQD_PROTO_CC_HYSTART_H

#include "base.h"

/**
 * enum nqd_hystart_phase - RFC 9406 section 4.2
 * @NQD_HYSTART_SLOW_START: standard slow start
 * @NQD_HYSTART_CSS: conservative slow start: delay rose, to be confirmed
 * @NQD_HYSTART_DONE: congestion avoidance
 */
enum nqd_hystart_phase {
	NQD_HYSTART_SLOW_START,
	NQD_HYSTART_CSS,
	NQD_HYSTART_DONE,
};

/**
 * struct nqd_hystart - state of RFC 9406 section 4.2
 * @phase: where the window is in slow start
 * @window_end: the round ends when this packet number is acknowledged
 * @last_round_min_rtt: lastRoundMinRTT, ns
 * @round_min_rtt: currentRoundMinRTT, ns
 * @recent_min_rtt: smallest of the last @rtt_samples, ns
 * @rtt_samples: rttSampleCount
 * @css_baseline_min_rtt: cssBaselineMinRtt, ns
 * @css_begin: packets from this number on were sent in conservative slow start
 */
struct nqd_hystart {
	enum nqd_hystart_phase phase;
	u64 window_end;
	u64 last_round_min_rtt;
	u64 round_min_rtt;
	u64 recent_min_rtt;
	u32 rtt_samples;
	u64 css_baseline_min_rtt;
	u64 css_begin;
};

void nqd_hystart_init(struct nqd_hystart *h);
bool nqd_hystart_on_ack(struct nqd_hystart *h, u64 rtt, u32 acked_packets, u64 largest_acked, u64 next_pn);
u64 nqd_hystart_growth(const struct nqd_hystart *h, u64 acked_bytes);
void nqd_hystart_done(struct nqd_hystart *h);

#endif

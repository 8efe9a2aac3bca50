/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Congestion control: what the algorithms share and the operations each provides. RFC 9002 section 7.
 */
#ifndef _NQD_PROTO_CC_H
#define _NQD_PROTO_CC_H

#include "cc_hystart.h"
#include "delivery.h"
#include "uapi/nexus_quic_dco.h"

/* RFC 9002 section 7.2, kMinimumWindow: packets. */
#define NQD_CC_MIN_WINDOW 2
/* RFC 9002 section 7.2: initial window in packets, and its bound in bytes. */
#define NQD_CC_INITIAL_WINDOW 10
#define NQD_CC_INITIAL_WINDOW_BYTES 14720

/**
 * struct nqd_cc_ack - one ACK frame, as congestion control sees it
 * @now: time, ns
 * @acked_bytes: bytes of newly acknowledged packets that were in flight
 * @acked_packets: newly acknowledged packets
 * @largest_acked: largest packet number newly acknowledged
 * @next_pn: packet number that will be sent next
 * @rtt: smoothed round trip, ns
 * @rtt_latest: sample that this frame gave, without correction, ns; 0: none
 * @rtt_adjusted: the same, without the peer's ACK delay, ns; 0: none
 * @prior_in_flight: bytes in flight before the frame
 * @in_flight: bytes in flight after it
 * @lost_bytes: bytes declared lost by it
 * @lost_packets: packets declared lost by it
 * @underutilized: the window was not used up: it must not grow (RFC 9002 section 7.8)
 * @sample: delivery rate
 * @delivered: connection's count of bytes delivered
 */
struct nqd_cc_ack {
	u64 now;
	u64 acked_bytes;
	u32 acked_packets;
	u64 largest_acked;
	u64 next_pn;
	u64 rtt;
	u64 rtt_latest;
	u64 rtt_adjusted;
	u64 prior_in_flight;
	u64 in_flight;
	u64 lost_bytes;
	u32 lost_packets;
	bool underutilized;
	struct nqd_rate_sample sample;
	u64 delivered;
};

struct nqd_cc;

/**
 * struct nqd_cc_ops - an algorithm
 * @name: as in the configuration
 * @init: set up; the window and mss of struct nqd_cc are there
 * @on_ack: a frame acknowledged something new; sets cwnd and pacing rate
 * @on_congestion: one reduction: a packet was lost or CE-marked (@ce), and this is a new round trip
 * @on_persistent: RFC 9002 section 7.6: the window goes to its minimum
 * @on_undo: all losses of the last reduction were spurious (may be NULL)
 */
struct nqd_cc_ops {
	const char *name;
	void (*init)(struct nqd_cc *cc, u64 now);
	void (*on_ack)(struct nqd_cc *cc, const struct nqd_cc_ack *ack);
	void (*on_congestion)(struct nqd_cc *cc, u64 now, u64 prior_in_flight, bool ce);
	void (*on_persistent)(struct nqd_cc *cc, u64 now);
	void (*on_undo)(struct nqd_cc *cc, u64 now);
};

/**
 * struct nqd_cubic - state of RFC 9438, bytes and ns
 * @hystart: slow start
 * @epoch_start: when the present congestion avoidance stage began, or NQD_TIME_NEVER
 * @w_max: window before the last reduction
 * @cwnd_prior: window at the last reduction
 * @k: time from @epoch_start to @w_max, in units of 2^20 ns
 * @w_est: window that Reno would have
 * @w_est_credit: bytes acknowledged and not in @w_est yet, scaled by 2^10
 * @last_ack: time of the last ACK frame: time without use of the window does not count
 * @prior: what an undo restores
 */
struct nqd_cubic {
	struct nqd_hystart hystart;
	u64 epoch_start;
	u64 w_max;
	u64 cwnd_prior;
	u64 k;
	u64 w_est;
	u64 w_est_credit;
	u64 last_ack;
	struct {
		u64 cwnd;
		u64 ssthresh;
		u64 w_max;
		u64 cwnd_prior;
		u64 k;
		u64 epoch_start;
		u64 w_est;
		enum nqd_hystart_phase phase;
	} prior;
};

/* Rounds over which the largest bandwidth counts. */
#define NQD_BBR_BW_ROUNDS 10

/**
 * enum nqd_bbr_phase - what the bbr_like algorithm is doing
 * @NQD_BBR_STARTUP: doubling each round
 * @NQD_BBR_DRAIN: emptying the queue that startup made
 * @NQD_BBR_DOWN: leaving room after probing
 * @NQD_BBR_CRUISE: at the measured bandwidth
 * @NQD_BBR_UP: probing for more
 * @NQD_BBR_PROBE_RTT: a small window for a moment, to see the empty path
 */
enum nqd_bbr_phase {
	NQD_BBR_STARTUP,
	NQD_BBR_DRAIN,
	NQD_BBR_DOWN,
	NQD_BBR_CRUISE,
	NQD_BBR_UP,
	NQD_BBR_PROBE_RTT,
};

/**
 * struct nqd_bbr - model of the path
 * @phase: see enum nqd_bbr_phase
 * @bw: largest delivery rate of each of the last rounds that had a sample, bytes a second
 * @bw_slot: entry of the present round
 * @max_bw: largest of these
 * @min_rtt: smallest round trip of the last ten seconds, ns; 0: none
 * @min_rtt_stamp: when it was seen
 * @probe_rtt_done: when PROBE_RTT may end, or NQD_TIME_NEVER
 * @round: rounds so far
 * @next_round_delivered: the round ends when a packet sent after this count is acknowledged
 * @full_bw: bandwidth that startup must pass by a quarter
 * @full_bw_rounds: rounds in which it did not
 * @filled: startup is over
 * @phase_start: when @phase began, ns
 * @phase_round: the round in which it began
 * @cruise_rounds: how long to cruise this time
 * @inflight_hi: bytes in flight beyond which the path lost too much, U64_MAX: not known
 * @round_lost: packets lost in the present loss sample
 * @round_acked: packets acknowledged in it
 * @round_in_flight: largest number of bytes in flight in it
 * @loss_rounds: rounds in it
 * @prior_cwnd: window to return to after PROBE_RTT
 * @pacing_gain: in units of 2^-8
 * @cwnd_gain: in units of 2^-8
 */
struct nqd_bbr {
	enum nqd_bbr_phase phase;
	u64 bw[NQD_BBR_BW_ROUNDS];
	u32 bw_slot;
	u64 max_bw;
	u64 min_rtt;
	u64 min_rtt_stamp;
	u64 probe_rtt_done;
	u64 round;
	u64 next_round_delivered;
	u64 full_bw;
	u32 full_bw_rounds;
	bool filled;
	u64 phase_start;
	u64 phase_round;
	u32 cruise_rounds;
	u64 inflight_hi;
	u64 round_lost;
	u64 round_acked;
	u64 round_in_flight;
	u32 loss_rounds;
	u64 prior_cwnd;
	u32 pacing_gain;
	u32 cwnd_gain;
};

/**
 * struct nqd_cc - congestion control of one connection
 * @ops: the algorithm
 * @kind: which one that is
 * @mss: max_datagram_size, bytes
 * @cwnd: congestion window, bytes
 * @ssthresh: slow start threshold, bytes; U64_MAX: none yet
 * @pacing_rate: bytes a second; 0: no pacing yet
 * @recovery_pn: packets below were sent before the last reduction (RFC 9002 section 7.3.2)
 * @recovery_prev: the same of the reduction before
 * @recovery_lost: packets lost in the present recovery period and not found spurious
 * @recovery_undoable: the present recovery period is due to loss alone
 * @reductions: congestion events
 * @undone: of these, found spurious
 * @persistent: times that persistent congestion was established
 * @cubic: cubic_like
 * @bbr: bbr_like
 * @fixed_rate: fixed_rate_test: bytes a second
 */
struct nqd_cc {
	const struct nqd_cc_ops *ops;
	enum nqd_congestion kind;
	u32 mss;
	u64 cwnd;
	u64 ssthresh;
	u64 pacing_rate;
	u64 recovery_pn;
	u64 recovery_prev;
	u64 recovery_lost;
	bool recovery_undoable;
	u64 reductions;
	u64 undone;
	u64 persistent;
	union {
		struct nqd_cubic cubic;
		struct nqd_bbr bbr;
		u64 fixed_rate;
	};
};

extern const struct nqd_cc_ops nqd_cc_cubic_ops;
extern const struct nqd_cc_ops nqd_cc_bbr_ops;
extern const struct nqd_cc_ops nqd_cc_fixed_ops;

int nqd_cc_init(struct nqd_cc *cc, enum nqd_congestion kind, u32 mss, u64 initial_window, u64 fixed_rate,
		bool lab_mode, u64 next_pn, u64 rtt, u64 now);
void nqd_cc_set_mss(struct nqd_cc *cc, u32 mss);
u64 nqd_cc_min_window(const struct nqd_cc *cc);
void nqd_cc_pace(struct nqd_cc *cc, u64 rtt);
bool nqd_cc_in_recovery(const struct nqd_cc *cc, u64 pn);
void nqd_cc_on_lost(struct nqd_cc *cc, u64 now, u64 largest_lost, u32 packets, u64 next_pn,
		    u64 prior_in_flight);
void nqd_cc_on_ce(struct nqd_cc *cc, u64 now, u64 largest_acked, u64 next_pn, u64 prior_in_flight);
void nqd_cc_on_persistent(struct nqd_cc *cc, u64 now);
void nqd_cc_on_spurious(struct nqd_cc *cc, u64 now, u64 smallest, u32 packets);
u64 nqd_cubic_root(u64 x);

#endif

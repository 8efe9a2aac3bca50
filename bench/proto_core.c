// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the bookkeeping of the protocol core costs a packet, on one core: no crypto, no sockets.
 *
 *   proto_core IN_FLIGHT ACK_EVERY LOSS_EVERY PACKETS [split]
 *
 * A sender keeps IN_FLIGHT packets (one DATAGRAM frame each) on a path of 40 ms; the receiver gets each
 * after that time and acknowledges; the sender processes the ACK frames. ACK_EVERY 0: as our own policy
 * says; LOSS_EVERY n: each nth packet is dropped, 0: none. The jobs take turns in batches of up to 64
 * packets. Prints per packet: CPU time in ns, ACK frames, ACK ranges; with "split" the medians over the
 * batches of the time for sending, receiving (and building ACK frames) and processing ACK frames, in ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ack.h"
#include "frame.h"
#include "math.h"
#include "received.h"
#include "recovery.h"

#define PAYLOAD 1200
#define BATCH 64
#define RTT (40ULL * NSEC_PER_MSEC)

struct ack_frame {
	u8 bytes[640];
	int len;
	u64 at;
};

static struct nqd_recovery recovery;
static struct nqd_received received;
static struct nqd_ack_policy policy;
static struct ack_frame frames[BATCH + 1];
static u8 payload[PAYLOAD];
static u64 acked, lost, ranges;

static void __attribute__((__noreturn__)) fail(const char *what)
{
	fprintf(stderr, "proto_core: %s\n", what);
	exit(1);
}

static u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static void send_batch(u32 count, u64 now, u64 step)
{
	u64 when;
	u32 i;

	for (i = 0; i < count; i++, now += step) {
		enum nqd_send_verdict verdict;

		if (nqd_sent_want_grow(&recovery.sent)) {
			u32 entries = nqd_sent_want_grow(&recovery.sent);
			struct nqd_sent_packet *ring = calloc(entries, sizeof(*ring));

			free(nqd_sent_grow(&recovery.sent, ring, entries));
		}
		verdict = nqd_recovery_can_send(&recovery, now, PAYLOAD, &when);
		if (verdict != NQD_SEND_OK)
			fail(verdict == NQD_SEND_CWND ? "window full" : "paced or no ring");
		nqd_recovery_sent(&recovery, now, PAYLOAD,
				  NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_DATAGRAM,
				  NQD_PN_NONE);
	}
}

/* Returns the number of ACK frames built. */
static u32 receive_batch(u64 pn, u32 count, u64 now, u64 step, u32 ack_every, u32 loss_every)
{
	u32 built = 0;
	u32 i;

	for (i = 0; i < count; i++, pn++, now += step) {
		struct nqd_frame_iter it;
		struct nqd_frame frame;
		bool eliciting = false;
		bool due;
		u64 largest;

		if (loss_every && pn % loss_every == loss_every - 1)
			continue;
		nqd_frame_iter_init(&it, payload, sizeof(payload));
		while (nqd_frame_next(&it, &frame) > 0)
			eliciting |= nqd_frame_ack_eliciting(frame.type);
		if (nqd_received_check(&received, pn) != NQD_DROP_NONE)
			fail("packet refused");
		nqd_received_add(&received, pn, now, NQD_ECN_NOT_ECT);
		nqd_ack_on_packet(&policy, &received, now, pn, eliciting, false, RTT);
		due = ack_every ? pn % ack_every == 0 : nqd_ack_due(&policy, now);
		if (!due)
			continue;
		frames[built].len = nqd_ack_build(&policy, &received, now, frames[built].bytes,
						  sizeof(frames[built].bytes), &largest);
		if (frames[built].len <= 0)
			fail("no ACK frame");
		frames[built].at = now;
		nqd_ack_sent(&policy);
		built++;
	}
	return built;
}

static void ack_batch(u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct nqd_recovery_result res;
		struct nqd_recovery_ack ack;
		struct nqd_frame_iter it;
		struct nqd_ack_iter inner;
		struct nqd_frame frame;

		nqd_frame_iter_init(&it, frames[i].bytes, (size_t)frames[i].len);
		if (nqd_frame_next(&it, &frame) != 1)
			fail("ACK frame refused");
		ranges += frame.ack.range_count + 1;
		nqd_frame_ack_init(&inner, &frame, frames[i].bytes);
		ack.largest = frame.ack.largest;
		ack.delay = nqd_frame_ack_delay(&frame, 3);
		ack.has_ecn = frame.type == NQD_FRAME_ACK_ECN;
		ack.ecn = frame.ack.ecn;
		ack.ranges = &inner;
		if (nqd_recovery_on_ack(&recovery, &ack, frames[i].at, NULL, &res))
			fail("protocol violation");
		acked += res.acked.packets;
		lost += res.lost.packets;
	}
}

static int compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

static double median(u32 *values, u64 count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void start(u64 in_flight, u32 loss_every, u64 now)
{
	struct nqd_recovery_config cfg = {
		.congestion = NQD_CONGESTION_CUBIC_LIKE,
		.max_datagram_size = PAYLOAD,
		.initial_window = in_flight * PAYLOAD * 8,
		.ring_entries = NQD_SENT_RING_MIN,
		.largest_acked = NQD_PN_NONE,
		.max_ack_delay = 25 * NSEC_PER_MSEC,
		.rtt_smoothed = RTT,
		.rtt_min = RTT,
		.rtt_var = NSEC_PER_MSEC,
	};

	if (loss_every) {
		/* The window must not shrink below what is to be in flight. */
		cfg.congestion = NQD_CONGESTION_FIXED_RATE_TEST;
		cfg.lab_mode = true;
		cfg.fixed_rate = in_flight * PAYLOAD * 100;
	}
	cfg.ring = calloc(cfg.ring_entries, sizeof(*cfg.ring));
	if (nqd_recovery_init(&recovery, &cfg, now))
		fail("init");
	nqd_received_init(&received, 0);
	if (nqd_ack_init(&policy, 25 * NSEC_PER_MSEC, 3, now))
		fail("init of the ACK policy");
	payload[0] = NQD_FRAME_DATAGRAM;
}

int main(int argc, char **argv)
{
	u64 in_flight, packets, batches, step, i, built_all = 0, now = NSEC_PER_SEC, began;
	u32 ack_every, loss_every, batch;
	u32 *spent[3];
	bool split;

	if (argc < 5 || argc > 6) {
		fprintf(stderr, "usage: proto_core IN_FLIGHT ACK_EVERY LOSS_EVERY PACKETS [split]\n");
		return 2;
	}
	in_flight = strtoull(argv[1], NULL, 0);
	ack_every = (u32)strtoul(argv[2], NULL, 0);
	loss_every = (u32)strtoul(argv[3], NULL, 0);
	packets = strtoull(argv[4], NULL, 0);
	split = argc == 6;
	batch = (u32)min_t(u64, in_flight, BATCH);
	batches = packets / batch;
	step = RTT / in_flight;
	for (i = 0; i < 3; i++)
		spent[i] = calloc(batches, sizeof(**spent));

	start(in_flight, loss_every, now);
	for (i = 0; i < in_flight; i++, now += step)
		send_batch(1, now, 0);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (i = 0; i < batches; i++) {
		u64 t[4] = { 0 };
		u32 built, phase;

		if (split)
			t[0] = clock_ns(CLOCK_MONOTONIC);
		built = receive_batch(i * batch, batch, now, step, ack_every, loss_every);
		if (split)
			t[1] = clock_ns(CLOCK_MONOTONIC);
		ack_batch(built);
		if (split)
			t[2] = clock_ns(CLOCK_MONOTONIC);
		now += batch * step;
		send_batch(batch, now, step);
		if (split)
			t[3] = clock_ns(CLOCK_MONOTONIC);
		for (phase = 0; split && phase < 3; phase++)
			spent[phase][i] = (u32)(t[phase + 1] - t[phase]);
		built_all += built;
		/* RFC 9000 section 13.2.4: ACK frames sent four round trips ago have been acknowledged. */
		nqd_received_forget(&received, nqd_sub_sat(i * batch, 4 * in_flight));
	}
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	if (acked + lost < packets / 2)
		fail("acknowledgements are missing");
	if (split)
		printf("%.2f %.2f %.2f\n", median(spent[2], batches) / batch,
		       median(spent[0], batches) / batch, median(spent[1], batches) / batch);
	else
		printf("%.2f %.4f %.4f\n", (double)began / (double)packets,
		       (double)built_all / (double)packets, (double)ranges / (double)packets);
	return 0;
}

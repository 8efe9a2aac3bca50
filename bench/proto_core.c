// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the protocol core costs a packet, on one core: no crypto, no sockets.
 *
 *   proto_core IN_FLIGHT ACK_EVERY_2 LOSS_EVERY PACKETS [split]
 *
 * Two connections as a home drives them. A sender keeps IN_FLIGHT packets (one DATAGRAM frame each) on a
 * path of some 40 ms; the receiver gets each after that time and sends ACK frames, which the sender processes.
 * ACK_EVERY_2 1: the receiver acknowledges every second packet, as a standard peer; 0: as our own policy
 * says. LOSS_EVERY n: each nth packet is dropped, 0: none. The jobs take turns in batches of up to 64
 * packets. Prints per packet: CPU time in ns, ACK frames, ACK ranges; with "split" the medians over the
 * batches of the time for sending, receiving (and building ACK frames) and processing ACK frames, in ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conn.h"

#define PAYLOAD 1200
#define MTU 1300
#define BATCH 64
#define RTT (40ULL * NSEC_PER_MSEC)
/* Packets of the receiver that wait for the sender: an ACK frame for each packet of a batch, and PINGs. */
#define RETURNING (2 * BATCH)

/**
 * struct wire - a packet on the path
 * @truncated_pn: packet number in its header
 * @first_byte: of its header
 * @frames_len: bytes of @frames
 * @frames: what comes before its payload, if that is more than the type of the DATAGRAM frame
 */
struct wire {
	u32 truncated_pn;
	u8 first_byte;
	u16 frames_len;
	u8 *frames;
};

/**
 * struct returning - a packet of the receiver
 * @pn: packet number
 * @at: when it was sent, ns
 * @len: bytes of @payload
 * @first_byte: of its header
 * @payload: its frames
 */
struct returning {
	u64 pn;
	u64 at;
	u32 len;
	u8 first_byte;
	u8 payload[MTU];
};

static struct nqd_conn sender, receiver;
static struct wire *path;
static u64 path_mask;
static struct returning returning[RETURNING];
static u8 payload[MTU];
static u64 window, ranges, acks;

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

/* As a home does after each call. */
static void take_events(struct nqd_conn *c)
{
	u32 events = nqd_conn_events(c);

	if (events & ~(u32)(NQD_CONN_EVENT_CONGESTION | NQD_CONN_EVENT_RING))
		fail("an event that nothing here should cause");
}

static void grow_ring(struct nqd_conn *c)
{
	u32 entries = nqd_sent_want_grow(&c->recovery.sent);
	struct nqd_sent_packet *ring;

	if (!entries)
		return;
	ring = calloc(entries, sizeof(*ring));
	free(nqd_sent_grow(&c->recovery.sent, ring, entries));
}

static void send_batch(u32 count, u64 now, u64 step)
{
	u8 frames[NQD_CONN_TX_ROOM];
	u32 i;

	grow_ring(&sender);
	for (i = 0; i < count; i++, now += step) {
		struct nqd_conn_plan plan;
		struct wire *w;

		if (nqd_conn_tx_datagram(&sender, now, PAYLOAD, frames, sizeof(frames), &plan) !=
		    NQD_CONN_SEND)
			fail("the packet may not leave");
		take_events(&sender);
		w = &path[plan.pn & path_mask];
		w->truncated_pn = (u32)(plan.pn & (U32_MAX >> (32 - 8 * plan.pn_len)));
		w->first_byte = plan.first_byte;
		w->frames_len = (u16)plan.frames_len;
		if (plan.frames_len > 1) {
			w->frames = malloc(plan.frames_len);
			memcpy(w->frames, frames, plan.frames_len);
		}
	}
}

/* The receiver's packets: returns the number of those that wait. */
static u32 acknowledge(u64 now, u32 waiting)
{
	struct nqd_conn_plan plan;

	while (nqd_conn_tx_wanted(&receiver, now)) {
		struct returning *r = &returning[waiting];

		if (waiting == RETURNING)
			fail("more answers than packets");
		if (nqd_conn_tx_pending(&receiver, now, r->payload, sizeof(r->payload), &plan) !=
		    NQD_CONN_SEND)
			break;
		take_events(&receiver);
		r->pn = plan.pn;
		r->at = now;
		r->len = plan.frames_len;
		r->first_byte = plan.first_byte;
		waiting++;
	}
	return waiting;
}

static u32 receive_batch(u64 pn, u32 count, u64 now, u64 step, bool ack_every_2, u32 loss_every)
{
	u32 waiting = 0;
	u32 i;

	for (i = 0; i < count; i++, pn++, now += step) {
		struct wire *w = &path[pn & path_mask];
		struct nqd_conn_rx rx = { .first_byte = w->first_byte, .size = MTU };
		u8 *frames = payload;
		struct nqd_conn_rx_result res;

		if (w->frames_len > 1)
			frames = memcpy(malloc(w->frames_len + PAYLOAD), w->frames, w->frames_len);
		if (!loss_every || pn % loss_every != loss_every - 1) {
			if (nqd_conn_rx_begin(&receiver, &rx, w->truncated_pn) != NQD_DROP_NONE ||
			    nqd_conn_rx_opened(&receiver, now, &rx, frames, w->frames_len + PAYLOAD, 0,
					       &res) != NQD_DROP_NONE ||
			    res.datagrams != 1)
				fail("packet refused");
			take_events(&receiver);
			waiting = acknowledge(now, waiting);
			/* Our policy begins as a standard peer, and here it never gets beyond. */
			if (ack_every_2)
				receiver.ack.seen = 0;
		}
		if (w->frames_len > 1) {
			free(w->frames);
			free(frames);
		}
	}
	grow_ring(&receiver);
	return waiting;
}

static void ack_batch(u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		const struct returning *r = &returning[i];
		struct nqd_conn_rx rx = { .first_byte = r->first_byte, .size = r->len + 20 };
		struct nqd_conn_rx_result res;

		if (nqd_conn_rx_begin(&sender, &rx, (u32)r->pn) != NQD_DROP_NONE ||
		    nqd_conn_rx_opened(&sender, r->at, &rx, r->payload, r->len, 0, &res) !=
		    NQD_DROP_NONE)
			fail("ACK refused");
		take_events(&sender);
		ranges += receiver.ack.reported_ranges;
		acks++;
	}
	/* What is in flight stays what the case says, and the window is in use. */
	sender.recovery.cc.cwnd = window;
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

static void start(struct nqd_conn *c, bool client, u64 now)
{
	struct nqd_conn_config cfg = {
		.client = client,
		.ack_delay_exponent = 3,
		.peer_ack_delay_exponent = 3,
		.max_ack_delay = 25 * NSEC_PER_MSEC,
		.max_datagram_frame_size = 65535,
		.peer_max_datagram_frame_size = 65535,
		.peer_cid_len = 8,
		.mtu = MTU,
		.mtu_ceiling = MTU,
		.idle_timeout = 30 * NSEC_PER_SEC,
		.peer_idle_timeout = 30 * NSEC_PER_SEC,
		.keys = { .suite = NQD_CIPHER_SUITE_AES_128_GCM_SHA256, .rx_next = true, .tx_next = true },
		.recovery = {
			.congestion = NQD_CONGESTION_CUBIC_LIKE,
			.initial_window = window,
			.ring_entries = NQD_SENT_RING_MIN,
			.largest_acked = NQD_PN_NONE,
			.max_ack_delay = 25 * NSEC_PER_MSEC,
			.rtt_smoothed = RTT,
			.rtt_latest = RTT,
			.rtt_min = RTT,
			.rtt_var = NSEC_PER_MSEC,
		},
	};
	const char *why = "activation";

	cfg.recovery.ring = calloc(cfg.recovery.ring_entries, sizeof(*cfg.recovery.ring));
	if (nqd_conn_init(c, &cfg, now, &why) || nqd_conn_activate(c, now))
		fail(why);
	nqd_conn_events(c);
}

int main(int argc, char **argv)
{
	u64 in_flight, packets, batches, step, i, now = NSEC_PER_SEC, began;
	u32 loss_every, batch;
	bool ack_every_2, split;
	u32 *spent[3];

	if (argc < 5 || argc > 6) {
		fprintf(stderr, "usage: proto_core IN_FLIGHT ACK_EVERY_2 LOSS_EVERY PACKETS [split]\n");
		return 2;
	}
	in_flight = strtoull(argv[1], NULL, 0);
	ack_every_2 = strtoul(argv[2], NULL, 0);
	loss_every = (u32)strtoul(argv[3], NULL, 0);
	packets = strtoull(argv[4], NULL, 0);
	split = argc == 6;
	batch = (u32)min_t(u64, in_flight, BATCH);
	batches = packets / batch;
	/* In each turn the receiver comes first, then the sender. */
	step = RTT / in_flight / 2;
	/* More than is in flight even after a loss, and less than RFC 9002 section 7.8 calls underutilized. */
	window = max_t(u64, in_flight + in_flight / 4 * 3, 4) * MTU;
	path_mask = 1;
	while (path_mask < in_flight + BATCH)
		path_mask *= 2;
	path = calloc(path_mask, sizeof(*path));
	path_mask--;
	for (i = 0; i < 3; i++)
		spent[i] = calloc(batches, sizeof(**spent));

	start(&sender, true, now);
	start(&receiver, false, now);
	/* Congestion avoidance: where a connection spends its life. */
	sender.recovery.cc.ssthresh = window;
	payload[0] = NQD_FRAME_DATAGRAM;
	for (i = 0; i < in_flight; i++, now += 2 * step)
		send_batch(1, now, 0);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (i = 0; i < batches; i++) {
		u64 t[4] = { 0 };
		u32 waiting, phase;

		if (split)
			t[0] = clock_ns(CLOCK_MONOTONIC);
		waiting = receive_batch(i * batch, batch, now, step, ack_every_2, loss_every);
		if (split)
			t[1] = clock_ns(CLOCK_MONOTONIC);
		ack_batch(waiting);
		if (split)
			t[2] = clock_ns(CLOCK_MONOTONIC);
		now += batch * step;
		send_batch(batch, now, step);
		now += batch * step;
		if (split)
			t[3] = clock_ns(CLOCK_MONOTONIC);
		for (phase = 0; split && phase < 3; phase++)
			spent[phase][i] = (u32)(t[phase + 1] - t[phase]);
	}
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	if (sender.recovery.sent.acked + sender.recovery.sent.lost < packets / 2)
		fail("acknowledgements are missing");
	if (split)
		printf("%.2f %.2f %.2f\n", median(spent[2], batches) / batch,
		       median(spent[0], batches) / batch, median(spent[1], batches) / batch);
	else
		printf("%.2f %.4f %.4f\n", (double)began / (double)packets,
		       (double)acks / (double)packets, (double)ranges / (double)packets);
	return 0;
}

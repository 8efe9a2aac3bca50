// SPDX-License-Identifier: BSD-3-Clause
/*
 * The input is a script: packets are sent, ACK frames come, well formed or not, timers fire. After
 * each step the books must balance, and a shadow list of packets must agree with what the ring
 * says of them.
 */
#include "accounts.h"
#include "frames.h"
#include "math.h"

#define PACKETS_MAX 4096
#define RING_LIMIT 4096

enum operation {
	OP_SEND,
	OP_SEND_MANY,
	OP_ACK,
	OP_ACK_BYTES,
	OP_ACK_ALL,
	OP_ADVANCE,
	OP_TIMEOUT,
	OP_CANCEL,
	OP_GROW,
	OP_MTU,
	OP_APP_LIMITED,
	OP_BUDGET,
	OPERATIONS,
};

/**
 * struct shadow - a packet, as the harness remembers it
 * @flags: NQD_SENT_* without a state
 * @acked: an ACK frame covered it
 * @cancelled: it was never sent
 * @told_acked: the sink was told
 * @told_lost: the sink was told
 */
struct shadow {
	u16 flags;
	bool acked;
	bool cancelled;
	bool told_acked;
	bool told_lost;
};

struct harness {
	struct nqd_recovery r;
	u64 now;
	u64 first_pn;
	u32 packets;
	bool dead;
	struct shadow shadow[PACKETS_MAX];
};

static struct shadow *find(struct harness *h, u64 pn)
{
	CHECK(pn >= h->first_pn && pn - h->first_pn < h->packets);
	return &h->shadow[pn - h->first_pn];
}

static void told_acked(void *ctx, u64 pn, const struct nqd_sent_packet *p)
{
	struct shadow *s = find(ctx, pn);

	CHECK(s->flags & NQD_SENT_TOLD);
	CHECK(!s->told_acked && !s->cancelled);
	CHECK(((p->flags & NQD_SENT_STATE_MASK) == NQD_SENT_LOST) == s->told_lost);
	s->told_acked = true;
}

static void told_lost(void *ctx, u64 pn, const struct nqd_sent_packet *p)
{
	struct shadow *s = find(ctx, pn);

	CHECK(s->flags & NQD_SENT_TOLD);
	CHECK(!s->told_acked && !s->told_lost && !s->cancelled && !s->acked);
	CHECK(p->flags & NQD_SENT_IN_FLIGHT);
	s->told_lost = true;
}

static void send_one(struct harness *h, u16 size, u16 flags, u64 ack_reported)
{
	u64 expected = nqd_sent_next_pn(&h->r.sent);
	bool full = nqd_sent_full(&h->r.sent);
	u64 pn;

	if (h->packets == PACKETS_MAX)
		return;
	pn = nqd_recovery_sent(&h->r, h->now, size, flags, ack_reported);
	CHECK((pn == NQD_PN_NONE) == full);
	if (full)
		return;
	CHECK(pn == expected && pn == h->first_pn + h->packets);
	h->shadow[h->packets++] = (struct shadow){ .flags = flags };
}

/* Flags that go together, as RFC 9002 section 2 has them. */
static u16 packet_flags(u8 choice)
{
	static const u16 kinds[] = {
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_DATAGRAM,
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_DATAGRAM | NQD_SENT_ACK,
		NQD_SENT_ACK,
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_CONTROL,
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_PMTU_PROBE,
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_PROBE,
		NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_PATH,
		NQD_SENT_IN_FLIGHT,
	};

	return kinds[choice % ARRAY_SIZE(kinds)];
}

/* Ask first, as homes do; a probe goes past window and pacer. */
static void op_send(struct harness *h, struct script *s)
{
	u16 flags = packet_flags(script_u8(s));
	u16 size = (u16)(20 + script_u16(s) % 1480);
	u64 reported = script_u16(s);
	u64 when = 0;

	if ((flags & NQD_SENT_IN_FLIGHT) && !(flags & NQD_SENT_PROBE)) {
		enum nqd_send_verdict verdict = nqd_recovery_can_send(&h->r, h->now, size, &when);

		if (verdict == NQD_SEND_PACED) {
			CHECK(when > h->now);
			h->now = when;
			CHECK(nqd_recovery_can_send(&h->r, h->now, size, &when) == NQD_SEND_OK);
		} else if (verdict != NQD_SEND_OK) {
			return;
		}
		CHECK(h->r.sent.bytes_in_flight + size <= h->r.cc.cwnd);
		if (nqd_ecn_validate_mark(&h->r.ecn) == NQD_ECN_ECT0)
			flags |= NQD_SENT_ECT0;
	}
	send_one(h, size, flags, reported);
}

static void op_send_many(struct harness *h, struct script *s)
{
	u16 size = (u16)(20 + script_u16(s) % 1480);
	u32 count = script_u8(s);
	u32 granted = nqd_recovery_budget(&h->r, h->now, size, count);

	CHECK(granted <= count);
	CHECK(!granted || h->r.sent.bytes_in_flight + (u64)granted * size <= h->r.cc.cwnd);
	while (granted--)
		send_one(h, size,
			 NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_DATAGRAM, 0);
}

/* Note what the frame acknowledges, and say whether it may be refused. */
static bool note_acked(struct harness *h, const struct nqd_frame *f, const u8 *payload)
{
	struct nqd_ack_iter it;
	u64 smallest, largest, pn;
	bool lies = false;

	nqd_frame_ack_init(&it, f, payload);
	while (nqd_frame_ack_next(&it, &smallest, &largest)) {
		if (largest >= h->first_pn + h->packets) {
			lies = true;
			continue;
		}
		for (pn = max(smallest, h->first_pn); pn <= largest; pn++) {
			if (find(h, pn)->cancelled)
				lies = true;
			find(h, pn)->acked = true;
		}
	}
	return lies;
}

static void take_ack(struct harness *h, const struct nqd_frame *f, const u8 *payload)
{
	const struct nqd_sent_sink sink = { .acked = told_acked, .lost = told_lost, .ctx = h };
	u64 before = h->r.sent.acked + h->r.sent.spurious;
	struct nqd_recovery_result res;
	struct nqd_recovery_ack ack;
	struct nqd_ack_iter ranges;
	bool lies;
	int ret;

	nqd_frame_ack_init(&ranges, f, payload);
	ack.largest = f->ack.largest;
	ack.delay = nqd_frame_ack_delay(f, 3);
	ack.has_ecn = f->type == NQD_FRAME_ACK_ECN;
	ack.ecn = f->ack.ecn;
	ack.ranges = &ranges;
	ret = nqd_recovery_on_ack(&h->r, &ack, h->now, &sink, &res);
	lies = note_acked(h, f, payload);
	CHECK(ret == 0 || (ret == -EPROTO && lies));
	/* RFC 9000 section 13.1: an ACK of a packet that was not sent ends the connection. */
	CHECK(ret != 0 || f->ack.largest < h->first_pn + h->packets);
	h->dead = ret != 0;
	if (ret)
		return;
	CHECK(h->r.sent.acked + h->r.sent.spurious - before == res.acked.packets);
	CHECK((res.acked.largest == NQD_PN_NONE) == (res.acked.packets == 0));
	CHECK(!res.acked.packets || res.acked.largest <= f->ack.largest);
}

/* A well-formed frame over recent packets: Gap and Length from the script. */
static void op_ack(struct harness *h, struct script *s)
{
	struct nqd_ecn_counts ecn = { 0 };
	struct nqd_pn_range ranges[8];
	u8 shape = script_u8(s);
	bool has_ecn = shape & 0x80;
	u64 delay = script_scaled(s, 20);
	struct nqd_frame_iter it;
	struct nqd_frame f;
	u8 buf[256];
	u32 count;
	int len;

	count = script_ranges(s, nqd_sent_next_pn(&h->r.sent), ranges,
			      1 + shape % ARRAY_SIZE(ranges));
	if (has_ecn) {
		ecn.ect0 = script_u16(s);
		ecn.ect1 = script_u8(s);
		ecn.ce = script_u8(s);
	}
	len = nqd_frame_put_ack(buf, sizeof(buf), ranges, count, delay, has_ecn ? &ecn : NULL);
	CHECK(len > 0);
	nqd_frame_iter_init(&it, buf, (size_t)len);
	CHECK(nqd_frame_next(&it, &f) == 1);
	take_ack(h, &f, buf);
}

/* Whatever ACK frames are in a run of bytes. */
static void op_ack_bytes(struct harness *h, struct script *s)
{
	struct nqd_frame_iter it;
	struct nqd_frame f;
	const u8 *payload;
	size_t len;

	payload = script_bytes(s, script_u8(s), &len);
	nqd_frame_iter_init(&it, payload, len);
	while (!h->dead && nqd_frame_next(&it, &f) == 1) {
		if (f.type == NQD_FRAME_ACK || f.type == NQD_FRAME_ACK_ECN)
			take_ack(h, &f, payload);
	}
}

/* All packets sent since number @from of the harness, after a round trip: the path works. */
static void op_ack_all(struct harness *h, struct script *s)
{
	struct nqd_pn_range range = { .largest = h->first_pn + h->packets - 1 };
	u32 back = script_u8(s);
	struct nqd_frame_iter it;
	struct nqd_frame f;
	u8 buf[64];
	int len;

	h->now += script_scaled(s, 30);
	if (!h->packets)
		return;
	range.smallest = range.largest - min(back, h->packets - 1);
	len = nqd_frame_put_ack(buf, sizeof(buf), &range, 1, 0, NULL);
	nqd_frame_iter_init(&it, buf, (size_t)len);
	CHECK(nqd_frame_next(&it, &f) == 1);
	take_ack(h, &f, buf);
}

/*
 * The timer, late or on time. With its probes sent it must not have to fire for ever at one moment.
 */
static void op_timeout(struct harness *h, struct script *s)
{
	const struct nqd_sent_sink sink = { .acked = told_acked, .lost = told_lost, .ctx = h };
	u64 late = script_scaled(s, 32);
	struct nqd_recovery_result res;
	const u16 probe = NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_PROBE;
	u64 deadline = nqd_recovery_deadline(&h->r);
	int rounds = 0;

	if (deadline == NQD_TIME_NEVER)
		return;
	h->now = max(h->now, deadline) + late;
	while ((deadline = nqd_recovery_deadline(&h->r)) <= h->now) {
		nqd_recovery_on_timeout(&h->r, h->now, &sink, &res);
		CHECK(res.probes <= 2);
		CHECK(res.acked.packets == 0);
		if (res.probes && (nqd_sent_full(&h->r.sent) || h->packets == PACKETS_MAX))
			return;
		while (res.probes--)
			send_one(h, 40, probe, 0);
		CHECK(++rounds < 64);
	}
}

static void op_cancel(struct harness *h, struct script *s)
{
	u64 pn = nqd_sub_sat(nqd_sent_next_pn(&h->r.sent), script_u8(s));

	if (nqd_recovery_cancel(&h->r, pn) == 0) {
		CHECK(!find(h, pn)->acked && !find(h, pn)->told_lost);
		find(h, pn)->cancelled = true;
	}
}

static void op_grow(struct harness *h, struct script *s)
{
	u32 entries = 1U << (8 + script_u8(s) % 6);
	u32 wanted = nqd_sent_want_grow(&h->r.sent);
	struct nqd_sent_packet *ring, *old;

	CHECK(!wanted || wanted > h->r.sent.mask + 1);
	if (entries > RING_LIMIT)
		return;
	ring = malloc(entries * sizeof(*ring));
	CHECK(ring);
	old = nqd_sent_grow(&h->r.sent, ring, entries);
	free(old ? old : ring);
}

static void op_budget(struct harness *h, struct script *s)
{
	u32 size = 1 + script_u16(s);
	u64 when = 0;

	if (nqd_recovery_budget(&h->r, h->now, size, script_u8(s)) == 0)
		nqd_recovery_can_send(&h->r, h->now, size, &when);
	CHECK(nqd_recovery_departure(&h->r, h->now) >= h->now);
}

static void step(struct harness *h, struct script *s)
{
	switch (script_u8(s) % OPERATIONS) {
	case OP_SEND:
		op_send(h, s);
		break;
	case OP_SEND_MANY:
		op_send_many(h, s);
		break;
	case OP_ACK:
		op_ack(h, s);
		break;
	case OP_ACK_BYTES:
		op_ack_bytes(h, s);
		break;
	case OP_ACK_ALL:
		op_ack_all(h, s);
		break;
	case OP_ADVANCE:
		h->now += script_scaled(s, 36);
		break;
	case OP_TIMEOUT:
		op_timeout(h, s);
		break;
	case OP_CANCEL:
		op_cancel(h, s);
		break;
	case OP_GROW:
		op_grow(h, s);
		break;
	case OP_MTU:
		nqd_recovery_set_mtu(&h->r, 1200 + script_u16(s) % 8000);
		break;
	case OP_APP_LIMITED:
		nqd_recovery_app_limited(&h->r);
		break;
	case OP_BUDGET:
		op_budget(h, s);
		break;
	}
}

/* What the ring still holds must say of each packet what the harness saw happen to it. */
static void check_shadow(const struct harness *h)
{
	u32 i;

	for (i = 0; i < h->packets; i++) {
		const struct nqd_sent_packet *p = nqd_sent_find(&h->r.sent, h->first_pn + i);
		const struct shadow *s = &h->shadow[i];
		u32 state;

		if (!p)
			continue;
		state = p->flags & NQD_SENT_STATE_MASK;
		CHECK((state == NQD_SENT_ACKED) == s->acked);
		CHECK((state == NQD_SENT_CANCELLED) == s->cancelled);
		if (s->flags & NQD_SENT_TOLD) {
			CHECK(s->told_acked == s->acked);
			CHECK((state == NQD_SENT_LOST) == (s->told_lost && !s->acked));
		}
	}
}

static bool configure(struct harness *h, struct script *s)
{
	static const u32 sizes[] = { 1200, 1252, 1452, 65527 };
	struct nqd_recovery_config cfg = { 0 };
	u8 choice = script_u8(s);

	memset(h, 0, offsetof(struct harness, shadow));
	h->now = 1000000000ULL + script_scaled(s, 40);
	cfg.congestion = (enum nqd_congestion)(choice % 3);
	cfg.lab_mode = choice & 0x04 || cfg.congestion == NQD_CONGESTION_FIXED_RATE_TEST;
	cfg.ecn = choice & 0x08;
	cfg.max_datagram_size = sizes[choice >> 4 & 3];
	cfg.ring_entries = NQD_SENT_RING_MIN;
	cfg.fixed_rate = script_scaled(s, 40);
	cfg.next_pn = script_pn(s);
	cfg.largest_acked = choice & 0x40 && cfg.next_pn ? cfg.next_pn - 1 : NQD_PN_NONE;
	cfg.max_ack_delay = 25 * NSEC_PER_MSEC;
	if (choice & 0x80) {
		cfg.rtt_latest = script_scaled(s, 40);
		cfg.rtt_min = script_scaled(s, 40);
		cfg.rtt_smoothed = script_scaled(s, 40);
		cfg.rtt_var = script_scaled(s, 40);
	}
	cfg.ring = malloc(cfg.ring_entries * sizeof(*cfg.ring));
	CHECK(cfg.ring);
	h->first_pn = cfg.next_pn;
	if (nqd_recovery_init(&h->r, &cfg, h->now)) {
		free(cfg.ring);
		return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct script s = { .p = data, .left = size };
	static struct harness h;
	u32 steps = 0;

	if (!configure(&h, &s))
		return 0;
	while (script_more(&s) && !h.dead && h.now < SCRIPT_TIME_MAX) {
		step(&h, &s);
		if (!h.dead && ++steps % AUDIT_INTERVAL == 0)
			audit_recovery(&h.r);
	}
	if (!h.dead) {
		audit_recovery(&h.r);
		check_shadow(&h);
	}
	free(h.r.sent.ring);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
/* A home for one connection that trusts nothing. */
#include "conn_home.h"

#include "accounts.h"
#include "frames.h"
#include "math.h"
#include "pn.h"

static u8 buffer[65535];

bool home_init(struct home *h, struct nqd_conn_config *cfg)
{
	const char *why = NULL;

	memset(h, 0, offsetof(struct home, blobs));
	memset(h->blobs, 0, sizeof(h->blobs));
	h->blob_next = 0;
	h->now = 1000000000ULL;
	cfg->control_slots = h->slots;
	cfg->control_capacity = HOME_BLOBS;
	cfg->recovery.ring_entries = NQD_SENT_RING_MIN;
	cfg->recovery.ring = malloc(NQD_SENT_RING_MIN * sizeof(*cfg->recovery.ring));
	CHECK(cfg->recovery.ring);
	if (nqd_conn_init(&h->c, cfg, h->now, &why)) {
		CHECK(why);
		free(cfg->recovery.ring);
		return false;
	}
	h->imported_count = cfg->received_count;
	if (h->imported_count)
		h->imported = cfg->received[0];
	h->floor = cfg->received_floor;
	h->last_pn = NQD_PN_NONE;
	h->first_generation = cfg->keys.generation;
	h->rx_keys = cfg->keys.rx_next ? 3 : 1;
	h->tx_keys = cfg->keys.tx_next ? 3 : 1;
	return true;
}

void home_free(struct home *h)
{
	free(h->c.recovery.sent.ring);
}

static bool has_key(const struct home *h, u64 keys, u64 generation)
{
	CHECK(generation >= h->first_generation &&
	      generation - h->first_generation < HOME_GENERATIONS);
	return keys >> (generation - h->first_generation) & 1;
}

void home_install_keys(struct home *h, enum nqd_keys_dir dir, u32 ahead)
{
	u64 current_generation = dir == NQD_KEYS_TX ? h->c.keys.tx_generation :
						      h->c.keys.rx_generation;
	u64 generation = current_generation + ahead;
	u64 *keys = dir == NQD_KEYS_TX ? &h->tx_keys : &h->rx_keys;

	/* Enough for any script; more would not fit the bitmap. */
	if (generation - h->first_generation >= HOME_GENERATIONS - 1)
		return;
	if (nqd_conn_next_keys_installed(&h->c, h->now, dir, generation) == 0) {
		CHECK(ahead == 1);
		CHECK(!has_key(h, *keys, generation));
		*keys |= 1ULL << (generation - h->first_generation);
	}
}

/* Old keys are wiped when the core says so: it must not ask for them again. */
static void forget_keys(struct home *h)
{
	u64 oldest = nqd_keys_oldest(&h->c.keys);

	CHECK(oldest >= h->first_generation);
	h->rx_keys &= ~0ULL << (oldest - h->first_generation);
}

static void grow_ring(struct home *h)
{
	u32 entries = nqd_sent_want_grow(&h->c.recovery.sent);
	struct nqd_sent_packet *ring, *old;

	if (!entries || entries > HOME_RING_LIMIT)
		return;
	ring = malloc(entries * sizeof(*ring));
	CHECK(ring);
	old = nqd_sent_grow(&h->c.recovery.sent, ring, entries);
	CHECK(old);
	free(old);
}

static void release_blob(struct home *h, u64 id)
{
	CHECK(id < h->blob_next && h->blobs[id % HOME_BLOBS].queued);
	/* Reading them from now on would be a mistake: make it show. */
	memset(h->blobs[id % HOME_BLOBS].bytes, 0xff, sizeof(h->blobs[0].bytes));
	h->blobs[id % HOME_BLOBS].queued = false;
}

void home_events(struct home *h)
{
	u32 events = nqd_conn_events(&h->c);
	struct nqd_control_loss loss;
	u64 id;

	if (events & NQD_CONN_EVENT_KEYS_FORGET)
		forget_keys(h);
	if (events & NQD_CONN_EVENT_RING)
		grow_ring(h);
	while (nqd_control_pop_lost(&h->c.control, &loss)) {
		CHECK(loss.losses && events & NQD_CONN_EVENT_CONTROL_LOST);
		if (loss.final)
			release_blob(h, loss.id);
	}
	while (nqd_control_pop(&h->c.control, &id))
		release_blob(h, id);
	if (events & NQD_CONN_EVENT_ERROR)
		CHECK(h->c.state.state >= NQD_SESSION_STATE_CLOSING);
	if (events & (NQD_CONN_EVENT_PEER_CLOSED | NQD_CONN_EVENT_IDLE))
		CHECK(h->c.state.state == NQD_SESSION_STATE_DRAINING);
	if (events & NQD_CONN_EVENT_DRAINED)
		h->drained = true;
}

void home_check(const struct home *h)
{
	const struct nqd_conn *c = &h->c;

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return;
	CHECK(c->max_payload + c->overhead + 4 + 1 <= c->pmtu.current_size || !c->max_payload);
	CHECK(has_key(h, h->tx_keys, c->keys.tx_generation));
	CHECK(has_key(h, h->rx_keys, c->keys.rx_generation));
	CHECK(!c->control.queued || c->wanted & NQD_CONN_WANT_CONTROL);
}

void home_audit(const struct home *h)
{
	/* After a false ACK the connection is over and its books no longer matter. */
	if (h->c.state.state == NQD_SESSION_STATE_ACTIVE)
		audit_recovery(&h->c.recovery);
}

static bool was_received(const struct home *h, u64 pn)
{
	u32 i;

	if (pn < h->floor)
		return true;
	if (h->imported_count && pn >= h->imported.smallest && pn <= h->imported.largest)
		return true;
	for (i = 0; i < h->accepted_count; i++) {
		if (h->accepted[i] == pn)
			return true;
	}
	return false;
}

void home_receive(struct home *h, struct nqd_conn_rx *rx, u64 pn, const u8 *payload, size_t len)
{
	struct nqd_conn_rx_result res;
	enum nqd_drop_reason drop;
	u8 *copy;

	if (pn > NQD_PN_MAX || h->accepted_count == HOME_ACCEPTED)
		return;
	drop = nqd_conn_rx_begin(&h->c, rx, (u32)pn);
	if (drop != NQD_DROP_NONE)
		return;
	/*
	 * A number that is too far off is taken for another one, and the packet would not
	 * authenticate.
	 */
	if (rx->pn != pn) {
		nqd_conn_rx_failed(&h->c, h->now);
		return;
	}
	CHECK(has_key(h, h->rx_keys, rx->generation));
	CHECK((rx->generation & 1) == (rx->first_byte >> 2 & 1));
	copy = malloc(len ? len : 1);
	CHECK(copy);
	memcpy(copy, payload, len);
	drop = nqd_conn_rx_opened(&h->c, h->now, rx, copy, (u32)len, 64, &res);
	if (drop == NQD_DROP_NONE) {
		CHECK(!was_received(h, pn));
		h->accepted[h->accepted_count++] = pn;
		CHECK(res.handup_bytes <= 64);
		if (res.datagrams)
			CHECK(res.datagram.offset + res.datagram.len <= len);
		CHECK(nqd_received_check(&h->c.received, pn) != NQD_DROP_NONE);
	}
	free(copy);
	home_events(h);
}

/* RFC 9000 section 13.2: an ACK claims nothing that was not received. */
static void check_claims(const struct home *h, const struct nqd_frame *f, const u8 *payload)
{
	struct nqd_ack_iter it;
	u64 smallest, largest;

	nqd_frame_ack_init(&it, f, payload);
	while (nqd_frame_ack_next(&it, &smallest, &largest)) {
		u64 known = 0, from = max(smallest, h->floor);
		u32 i;

		CHECK(smallest >= h->floor);
		if (h->imported_count) {
			u64 low = max(from, h->imported.smallest);
			u64 high = min(largest, h->imported.largest);

			known += low <= high ? high - low + 1 : 0;
		}
		for (i = 0; i < h->accepted_count; i++)
			known += h->accepted[i] >= from && h->accepted[i] <= largest;
		CHECK(known == largest - smallest + 1);
	}
}

/* Read a packet of ours as the peer would. */
static void check_payload(struct home *h, const u8 *payload, u32 len, u32 datagrams)
{
	struct nqd_frame_iter it;
	struct nqd_frame f;
	int more;

	nqd_frame_iter_init(&it, payload, len);
	while ((more = nqd_frame_next(&it, &f)) == 1) {
		CHECK(!h->c.client || nqd_frame_from_client(f.type));
		if (f.type == NQD_FRAME_ACK || f.type == NQD_FRAME_ACK_ECN)
			check_claims(h, &f, payload);
		if (f.type == NQD_FRAME_DATAGRAM) {
			CHECK(f.bytes.len <= h->c.peer_max_datagram_frame_size);
			datagrams--;
		}
		if (f.type == NQD_FRAME_PATH_CHALLENGE)
			memcpy(h->challenge, payload + f.data.offset, sizeof(h->challenge));
	}
	CHECK(more == 0);
	CHECK(datagrams == 0);
}

/*
 * Numbers rise, the key is there, the peer can recover the number, and the sample is in the packet.
 */
static void check_plan(struct home *h, const struct nqd_conn_plan *plan, u32 payload_len)
{
	u64 largest_acked = h->c.recovery.sent.largest_acked;
	const struct nqd_path *path = &h->c.path;
	u64 last = plan->pn + plan->count - 1;

	CHECK(plan->count >= 1);
	CHECK(h->last_pn == NQD_PN_NONE || plan->pn > h->last_pn);
	CHECK(last <= NQD_PN_MAX);
	CHECK(nqd_sent_next_pn(&h->c.recovery.sent) == last + 1);
	CHECK(has_key(h, h->tx_keys, plan->generation));
	CHECK((plan->first_byte & 0xd8) == 0x40);
	CHECK((plan->first_byte >> 2 & 1) == (plan->generation & 1));
	CHECK((plan->first_byte & 3) == plan->pn_len - 1);
	CHECK(plan->pn_len >= 1 && plan->pn_len <= 4);
	CHECK(nqd_pn_decode(largest_acked, nqd_pn_truncate(last, plan->pn_len), plan->pn_len) ==
	      last);
	CHECK(plan->pn_len + plan->frames_len + payload_len >= 4);
	CHECK(plan->size == h->c.overhead + plan->pn_len + plan->frames_len + payload_len);
	CHECK(plan->ecn == NQD_ECN_NOT_ECT || plan->ecn == NQD_ECN_ECT0);
	CHECK(plan->departure == h->now);
	/*
	 * RFC 9000 section 8.1: three times what was received from an address that is not
	 * validated.
	 */
	if (plan->path == NQD_PATH_CANDIDATE &&
	    !(path->validation == NQD_PATH_VALIDATED && path->target == NQD_PATH_CANDIDATE))
		CHECK(path->candidate_sent <= 3 * path->candidate_received);
	if (plan->ecn == NQD_ECN_ECT0)
		h->marked += plan->count;
	h->last_pn = last;
	h->sent[h->sent_count++ % HOME_SENT] = plan->pn;
}

static void check_datagram(struct home *h, const struct nqd_conn_plan *plan, u32 payload_len)
{
	check_plan(h, plan, payload_len);
	CHECK(plan->size <= h->c.pmtu.current_size);
	CHECK(plan->path == NQD_PATH_ACTIVE);
	CHECK(h->c.recovery.sent.bytes_in_flight <= h->c.recovery.cc.cwnd);
	memset(buffer + plan->frames_len, 0x45, payload_len);
	check_payload(h, buffer, plan->frames_len + payload_len, 1);
}

static void check_refusal(const struct home *h, enum nqd_conn_verdict verdict, u32 payload_len)
{
	CHECK((verdict == NQD_CONN_INACTIVE) == (h->c.state.state != NQD_SESSION_STATE_ACTIVE));
	if (verdict == NQD_CONN_TOO_BIG)
		CHECK(payload_len > h->c.max_payload || !h->c.max_payload);
	CHECK(verdict != NQD_CONN_NO_ROOM);
}

void home_send_datagram(struct home *h, u32 payload_len)
{
	struct nqd_conn_plan plan = { 0 };
	enum nqd_conn_verdict verdict;

	/* The pacer's time is kept, else little would ever be in flight. */
	verdict = nqd_conn_tx_datagram(&h->c, h->now, payload_len, buffer, NQD_CONN_TX_ROOM, &plan);
	if (verdict == NQD_CONN_PACED) {
		CHECK(plan.departure > h->now);
		h->now = plan.departure;
		verdict = nqd_conn_tx_datagram(&h->c, h->now, payload_len, buffer, NQD_CONN_TX_ROOM,
					       &plan);
		CHECK(verdict != NQD_CONN_PACED);
	}
	if (verdict == NQD_CONN_SEND)
		check_datagram(h, &plan, payload_len);
	else
		check_refusal(h, verdict, payload_len);
	home_events(h);
}

void home_send_batch(struct home *h, u32 payload_len, u32 packets)
{
	struct nqd_conn_plan plan = { 0 };
	enum nqd_conn_verdict verdict;

	verdict = nqd_conn_tx_batch(&h->c, h->now, payload_len, packets, buffer, NQD_CONN_TX_ROOM,
				    &plan);
	if (verdict == NQD_CONN_SEND) {
		CHECK(plan.count <= packets);
		check_datagram(h, &plan, payload_len);
	} else if (verdict != NQD_CONN_NOTHING) {
		check_refusal(h, verdict, payload_len);
	}
	home_events(h);
}

void home_send_pending(struct home *h)
{
	struct nqd_conn_plan plan = { 0 };
	int rounds = 0;

	while (nqd_conn_tx_pending(&h->c, h->now, buffer, sizeof(buffer), &plan) == NQD_CONN_SEND) {
		check_plan(h, &plan, 0);
		CHECK(plan.count == 1);
		CHECK(plan.size <= h->c.pmtu.ceiling);
		check_payload(h, buffer, plan.frames_len, 0);
		home_events(h);
		/* What is wanted must come to an end. */
		CHECK(++rounds < 64);
	}
	home_events(h);
}

void home_fail_packet(struct home *h, u32 back)
{
	if (back % HOME_SENT < h->sent_count)
		nqd_conn_tx_failed(&h->c, h->now,
				   h->sent[(h->sent_count - 1 - back % HOME_SENT) % HOME_SENT]);
	home_events(h);
}

// SPDX-License-Identifier: BSD-3-Clause
/*
 * The input is a script played on one connection: packets come in any order, with any payload and
 * key phase; datagrams, control frames and closes are sent; timers fire; keys are installed.
 *
 * The harness is home and malicious peer in one. It remembers which packet numbers were accepted,
 * which were used, and which keys are in their slots, and checks: no packet is accepted twice, no
 * number used twice, no ACK claims what was not received, no key is used that is not there, every
 * packet that leaves can be parsed and fits, the window is kept, the books balance, and the timer
 * does not spin.
 */
#include "accounts.h"
#include "conn.h"
#include "conn_home.h"
#include "frames.h"
#include "math.h"

enum operation {
	OP_ADVANCE,
	OP_TIMER,
	OP_SEND,
	OP_SEND_BATCH,
	OP_PENDING,
	OP_RECEIVE_BYTES,
	OP_RECEIVE_DATAGRAMS,
	OP_RECEIVE_ACK,
	OP_RECEIVE_FRAME,
	OP_FORGED,
	OP_UPDATE_KEYS,
	OP_INSTALL_KEYS,
	OP_CONTROL,
	OP_VALIDATE_PATH,
	OP_MTU_REPORTED,
	OP_CLOSE,
	OP_FAILED,
	OP_APP_LIMITED,
	OPERATIONS,
};

/* A packet from the peer: Key Phase and packet number relative to what is expected. */
static void receive(struct home *h, u8 header, u8 step, const u8 *payload, size_t len)
{
	struct nqd_conn_rx rx = {
		.first_byte = (u8)(0x43 | (header & 0x3c)),
		.size = (u32)len + 1 + 4 + NQD_CONN_TAG_LEN,
		.ecn = header & 3,
		.path = header >> 7,
	};
	u64 largest = h->c.received.largest;
	u64 pn = largest == NQD_PN_NONE ? step : largest + 1;

	/* In order, some ahead, some late, or far off. */
	if (largest != NQD_PN_NONE) {
		if (step >= 0xf0)
			pn += 1ULL << (2 * (step - 0xf0));
		else if (step >= 0x80)
			pn = nqd_sub_sat(pn, step - 0x7f);
		else
			pn += step;
	}
	/* Mostly the phase that the peer would have. */
	if (!(header & 0x40))
		rx.first_byte = (u8)((rx.first_byte & ~4) | (h->c.keys.rx_generation & 1) << 2);
	home_receive(h, &rx, pn, payload, len);
}

static void op_receive_bytes(struct home *h, struct script *s)
{
	u8 header = script_u8(s), step = script_u8(s);
	const u8 *payload;
	size_t len;

	payload = script_bytes(s, script_u8(s), &len);
	receive(h, header, step, payload, len);
}

static void op_receive_datagrams(struct home *h, struct script *s)
{
	static const u8 payload[40] = { NQD_FRAME_DATAGRAM, 0x00, 0x45 };
	u8 header = script_u8(s) & 0xbb;
	u32 count = 1 + script_u8(s) % 100;
	u64 interval = script_scaled(s, 24);

	while (count--) {
		receive(h, header & 0x83, 0, payload, sizeof(payload));
		h->now += interval;
	}
}

/* An ACK of recent packets, and a DATAGRAM after it. */
static void op_receive_ack(struct home *h, struct script *s)
{
	u8 header = script_u8(s), step = script_u8(s), shape = script_u8(s);
	struct nqd_ecn_counts ecn = { 0 };
	struct nqd_pn_range ranges[8];
	u8 payload[256];
	u32 count;
	int len;

	count = script_ranges(s, nqd_sent_next_pn(&h->c.recovery.sent), ranges, 1 + shape % 8);
	ecn.ect0 = shape & 0x40 ? script_u16(s) : h->marked;
	len = nqd_frame_put_ack(payload, sizeof(payload) - 8, ranges, count, script_u16(s),
				shape & 0x80 ? &ecn : NULL);
	CHECK(len > 0);
	payload[len++] = NQD_FRAME_DATAGRAM;
	payload[len++] = 0;
	receive(h, header, step, payload, (size_t)len);
}

/* A frame of each kind that does something, well formed. */
static void op_receive_frame(struct home *h, struct script *s)
{
	u8 header = script_u8(s), step = script_u8(s), kind = script_u8(s) % 12;
	u8 data[NQD_RESET_TOKEN_LEN] = { 1, 2, 3, 4 };
	u64 number = script_scaled(s, 53);
	u8 buf[1300];
	int len;

	switch (kind) {
	case 0:
		data[0] = (u8)number;
		len = nqd_frame_put_path_challenge(buf, sizeof(buf), data);
		break;
	case 1:
		len = nqd_frame_put_path_response(buf, sizeof(buf), h->challenge);
		break;
	case 2:
		len = nqd_frame_put_connection_close(buf, sizeof(buf), number, 6, data, 4);
		break;
	case 3:
		len = nqd_frame_put_connection_close_app(buf, sizeof(buf), number, data, 4);
		break;
	case 4:
		len = nqd_frame_put_handshake_done(buf, sizeof(buf));
		break;
	case 5:
		len = nqd_frame_put_limit(buf, sizeof(buf), NQD_FRAME_MAX_DATA, 0, number);
		break;
	case 6:
		len = nqd_frame_put_crypto(buf, sizeof(buf), number, data, sizeof(data));
		break;
	case 7:
		len = nqd_frame_put_new_token(buf, sizeof(buf), data, sizeof(data));
		break;
	case 8:
		len = nqd_frame_put_new_connection_id(buf, sizeof(buf), number, 0, data, 8, data);
		break;
	case 9:
		len = nqd_frame_put_ping(buf, sizeof(buf));
		len += nqd_frame_put_padding(buf + len, sizeof(buf) - 1, 1200);
		break;
	case 10:
		len = nqd_frame_put_stream(buf, sizeof(buf), number, 0, data, sizeof(data), true);
		break;
	default:
		memset(buf, 0x45, sizeof(buf));
		len = nqd_frame_put_datagram_header(buf, sizeof(buf), number & 1, number % 1200);
		len += (int)(number % 1200);
		break;
	}
	receive(h, header, step, buf, (size_t)len);
}

static void op_send(struct home *h, struct script *s)
{
	u32 max_len = nqd_conn_max_payload(&h->c);

	home_send_datagram(h, script_u16(s) % (max_len + 2));
}

static void op_send_batch(struct home *h, struct script *s)
{
	u32 len = script_u16(s) % (nqd_conn_max_payload(&h->c) + 2);

	home_send_batch(h, len, script_u8(s));
}

/* The timer, on time or late; and with what it wants sent, it must not be due for ever. */
static void op_timer(struct home *h, struct script *s)
{
	u64 late = script_scaled(s, 32);
	u64 deadline = nqd_conn_deadline(&h->c);
	int rounds = 0;

	if (deadline == NQD_TIME_NEVER)
		return;
	h->now = max(h->now, deadline) + late;
	while (nqd_conn_deadline(&h->c) <= h->now && !h->drained) {
		nqd_conn_on_timer(&h->c, h->now);
		home_events(h);
		home_send_pending(h);
		CHECK(++rounds < 100);
	}
}

static void op_control(struct home *h, struct script *s)
{
	struct home_blob *blob = &h->blobs[h->blob_next % HOME_BLOBS];
	const u8 *bytes;
	size_t len;
	int ret;

	bytes = script_bytes(s, script_u8(s), &len);
	if (blob->queued)
		return;
	memcpy(blob->bytes, bytes, len);
	ret = script_u8(s) & 1 ?
		      nqd_conn_queue_control_once(&h->c, h->blob_next, blob->bytes, (u32)len) :
		      nqd_conn_queue_control(&h->c, h->blob_next, blob->bytes, (u32)len);
	CHECK(ret <= 0);
	if (ret == 0) {
		blob->queued = true;
		h->blob_next++;
	}
}

static void op_validate_path(struct home *h, struct script *s)
{
	u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN];
	u32 i, j;

	for (i = 0; i < NQD_PATH_CHALLENGES; i++) {
		for (j = 0; j < NQD_PATH_DATA_LEN; j++)
			data[i][j] = (u8)(h->blob_next + 16 * i + j);
	}
	nqd_conn_validate_path(&h->c, h->now, (enum nqd_path_index)(script_u8(s) & 1), data);
}

static void op_close(struct home *h, struct script *s)
{
	bool application = script_bit(s);

	/* Closing ends most of what there is to see: one in sixteen will do. */
	if (script_u8(s) & 0x0f)
		return;
	nqd_conn_close(&h->c, h->now, script_scaled(s, 56), application);
}

static void step(struct home *h, struct script *s)
{
	switch (script_u8(s) % OPERATIONS) {
	case OP_ADVANCE:
		h->now += script_scaled(s, 34);
		break;
	case OP_TIMER:
		op_timer(h, s);
		break;
	case OP_SEND:
		op_send(h, s);
		break;
	case OP_SEND_BATCH:
		op_send_batch(h, s);
		break;
	case OP_PENDING:
		home_send_pending(h);
		break;
	case OP_RECEIVE_BYTES:
		op_receive_bytes(h, s);
		break;
	case OP_RECEIVE_DATAGRAMS:
		op_receive_datagrams(h, s);
		break;
	case OP_RECEIVE_ACK:
		op_receive_ack(h, s);
		break;
	case OP_RECEIVE_FRAME:
		op_receive_frame(h, s);
		break;
	case OP_FORGED:
		nqd_conn_rx_failed(&h->c, h->now);
		break;
	case OP_UPDATE_KEYS:
		nqd_conn_update_keys(&h->c, h->now);
		break;
	case OP_INSTALL_KEYS:
		home_install_keys(h, script_bit(s) ? NQD_KEYS_TX : NQD_KEYS_RX, script_u8(s) & 3);
		break;
	case OP_CONTROL:
		op_control(h, s);
		break;
	case OP_VALIDATE_PATH:
		op_validate_path(h, s);
		break;
	case OP_MTU_REPORTED:
		nqd_conn_mtu_reported(&h->c, h->now, script_u16(s));
		break;
	case OP_CLOSE:
		op_close(h, s);
		break;
	case OP_FAILED:
		home_fail_packet(h, script_u8(s));
		break;
	case OP_APP_LIMITED:
		nqd_conn_app_limited(&h->c);
		break;
	}
}

/* Mostly what user space would install; @wild lets anything be asked for. */
static void configure(struct nqd_conn_config *cfg, struct script *s, struct nqd_pn_range *ranges)
{
	u8 choice = script_u8(s), more = script_u8(s);
	bool wild = (more & 0xe0) == 0xe0;

	cfg->client = choice & 1;
	cfg->spin = choice & 2;
	cfg->peer_cid_len = wild ? script_u8(s) : 8;
	cfg->ack_delay_exponent = wild ? script_u8(s) : 3;
	cfg->peer_ack_delay_exponent = wild ? script_u8(s) : 3;
	cfg->max_ack_delay = wild ? script_scaled(s, 40) : 25 * NSEC_PER_MSEC;
	cfg->max_datagram_frame_size = choice & 4 ? 65535 : script_scaled(s, 8);
	cfg->peer_max_datagram_frame_size = choice & 8 ? 65535 : script_scaled(s, 8);
	cfg->mtu = wild ? script_u16(s) : 1200 + (more & 3) * 84;
	cfg->mtu_ceiling = more & 4 ? 1452 : cfg->mtu;
	cfg->idle_timeout = choice & 0x10 ? 30ULL * NSEC_PER_SEC : 0;
	cfg->peer_idle_timeout = wild ? script_scaled(s, 56) : 30ULL * NSEC_PER_SEC;
	cfg->keepalive = choice & 0x20 ? 15ULL * NSEC_PER_SEC : 0;
	cfg->keys.suite = more & 8 ? NQD_CIPHER_SUITE_AES_128_GCM_SHA256 :
				     NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256;
	cfg->keys.generation = more & 3;
	cfg->keys.rx_next = choice & 0x40;
	cfg->keys.tx_next = choice & 0x80;
	cfg->keys.seal_limit = more & 0x10 ? 1 + script_u8(s) : 0;
	cfg->keys.open_failure_limit = more & 0x10 ? 1 + script_u8(s) % 8 : 0;
	cfg->recovery.congestion = (enum nqd_congestion)(script_u8(s) % 3);
	cfg->recovery.lab_mode = !wild;
	cfg->recovery.fixed_rate = 1 + script_scaled(s, 40);
	cfg->recovery.ecn = more & 8;
	cfg->recovery.max_ack_delay = 25 * NSEC_PER_MSEC;
	cfg->recovery.next_pn = script_pn(s);
	/* Nothing was acknowledged only where nothing was sent: 0 - 1 is NQD_PN_NONE. */
	cfg->recovery.largest_acked = wild ? script_scaled(s, 53) : cfg->recovery.next_pn - 1;
	/* One range received, and perhaps a hole below it. */
	ranges[0].largest = script_pn(s);
	ranges[0].smallest = nqd_sub_sat(ranges[0].largest, script_u8(s));
	cfg->received = ranges;
	cfg->received_count = more & 4 ? 1 : 0;
	cfg->received_floor = wild ? script_scaled(s, 60) : nqd_sub_sat(ranges[0].smallest, 5);
	cfg->ack_pending = more & 4;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct script s = { .p = data, .left = size };
	struct nqd_conn_config cfg = { 0 };
	struct nqd_pn_range ranges[1];
	static struct home h;
	u32 steps = 0;

	configure(&cfg, &s, ranges);
	if (!home_init(&h, &cfg))
		return 0;
	/* In HOLD nothing is sent and nothing received; most scripts go on at once. */
	if (script_u8(&s) == 0xff)
		step(&h, &s);
	CHECK(h.accepted_count == 0 && h.last_pn == NQD_PN_NONE);
	CHECK(nqd_conn_activate(&h.c, h.now) == 0 || h.c.state.state != NQD_SESSION_STATE_HOLD);
	while (script_more(&s) && !h.drained && h.now < SCRIPT_TIME_MAX) {
		step(&h, &s);
		home_events(&h);
		home_check(&h);
		if (++steps % AUDIT_INTERVAL == 0)
			home_audit(&h);
	}
	home_audit(&h);
	home_free(&h);
	return 0;
}

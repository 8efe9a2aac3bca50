/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * One established QUIC connection: the core as its two homes see it.
 *
 * Lock: the home serialises all calls on a connection, and does not hold that lock during crypto:
 *
 *   receive   remove header protection
 *             [lock] nqd_conn_rx_begin() [unlock]     packet number, and which keys
 *             open the packet, once
 *             [lock] nqd_conn_rx_opened() or nqd_conn_rx_failed(), nqd_conn_events() [unlock]
 *   send      [lock] nqd_conn_tx_datagram(), _tx_batch() or _tx_pending(), nqd_conn_events() [unlock]
 *             seal, protect the header, transmit; [lock] nqd_conn_tx_failed() [unlock] if that failed
 *   timer     at nqd_conn_deadline(): [lock] nqd_conn_on_timer(), nqd_conn_events() [unlock]
 *
 * After every call the home takes the events, and calls nqd_conn_tx_pending() until it says
 * NQD_CONN_NOTHING whenever nqd_conn_tx_wanted().
 *
 * Keys of generation g are in slot g & 3 of the home (keys.h), for each direction.
 */
#ifndef _NQD_PROTO_CONN_H
#define _NQD_PROTO_CONN_H

#include "ack.h"
#include "base.h"
#include "control.h"
#include "frame.h"
#include "keys.h"
#include "path.h"
#include "pmtu.h"
#include "received.h"
#include "recovery.h"
#include "state.h"

/* RFC 9001 section 5.3: all its AEADs add 16 bytes. */
#define NQD_CONN_TAG_LEN 16
/* Room that nqd_conn_tx_datagram() may use before the payload: an ACK of 32 ranges, PADDING, a header. */
#define NQD_CONN_TX_ROOM 576
/* RFC 9000 section 17.3.1: the first byte of a short header, unprotected. */
#define NQD_CONN_PHASE_SHIFT 2

/* Events, taken with nqd_conn_events(). */
#define NQD_CONN_EVENT_KEYS_RX 0x0001 /* the peer's packets use new keys: RX generation changed */
#define NQD_CONN_EVENT_KEYS_TX 0x0002 /* TX generation changed */
#define NQD_CONN_EVENT_KEYS_WANTED 0x0004 /* next keys are missing: derive them, or ask user space */
#define NQD_CONN_EVENT_KEYS_FORGET 0x0008 /* wipe the slots below nqd_keys_oldest() */
#define NQD_CONN_EVENT_KEYS_UPDATE_NEEDED 0x0010 /* half of the limit is used and no update is possible */
#define NQD_CONN_EVENT_KEYS_UPDATE_DONE 0x0020 /* the peer followed our key update */
#define NQD_CONN_EVENT_KEYS_EXHAUSTED 0x0040 /* the limit is reached: nothing is sent before an update */
#define NQD_CONN_EVENT_CONTROL_ACKED 0x0080 /* nqd_control_pop() has something */
#define NQD_CONN_EVENT_MTU 0x0100 /* nqd_conn_max_payload() changed */
#define NQD_CONN_EVENT_PATH_VALIDATED 0x0200
#define NQD_CONN_EVENT_PATH_FAILED 0x0400
#define NQD_CONN_EVENT_PEER_CLOSED 0x0800 /* see peer_close; the state is DRAINING */
#define NQD_CONN_EVENT_IDLE 0x1000 /* idle timeout: the state is DRAINING */
#define NQD_CONN_EVENT_ERROR 0x2000 /* the peer broke a rule: the state is CLOSING, see state.error_code */
#define NQD_CONN_EVENT_DRAINED 0x4000 /* CLOSING or DRAINING is over: the session may be freed */
#define NQD_CONN_EVENT_RING 0x8000 /* the sent ring should grow: nqd_sent_want_grow(&recovery.sent) */
#define NQD_CONN_EVENT_CONGESTION 0x10000 /* the window was reduced */
#define NQD_CONN_EVENT_CONTROL_LOST 0x20000 /* nqd_control_pop_lost() has something */

/* What nqd_conn_tx_pending() has to send, beside an ACK. */
#define NQD_CONN_WANT_CLOSE 0x01
#define NQD_CONN_WANT_RESPONSE 0x02
#define NQD_CONN_WANT_CHALLENGE 0x04
#define NQD_CONN_WANT_PROBE 0x08
#define NQD_CONN_WANT_CONTROL 0x10
#define NQD_CONN_WANT_PING 0x20
#define NQD_CONN_WANT_PMTU 0x40

/**
 * enum nqd_conn_verdict - what came of an attempt to send
 * @NQD_CONN_SEND: the plan is filled in: seal and transmit it
 * @NQD_CONN_NOTHING: nqd_conn_tx_pending(): nothing must be sent now
 * @NQD_CONN_TOO_BIG: payload above nqd_conn_max_payload()
 * @NQD_CONN_CWND: the congestion window is full: try again after the next received packet or timer
 * @NQD_CONN_PACED: try again at plan->departure
 * @NQD_CONN_RING: the sent ring is full: grow it (NQD_CONN_EVENT_RING) or wait
 * @NQD_CONN_INACTIVE: the state is not ACTIVE
 * @NQD_CONN_KEY_LIMIT: the TX key may not seal another packet: wait for new keys
 * @NQD_CONN_NO_ROOM: the buffer is too small
 */
enum nqd_conn_verdict {
	NQD_CONN_SEND,
	NQD_CONN_NOTHING,
	NQD_CONN_TOO_BIG,
	NQD_CONN_CWND,
	NQD_CONN_PACED,
	NQD_CONN_RING,
	NQD_CONN_INACTIVE,
	NQD_CONN_KEY_LIMIT,
	NQD_CONN_NO_ROOM,
};

/**
 * struct nqd_conn_config - what a session is installed with
 * @client: this end is the client
 * @spin: take part in the spin bit (RFC 9000 section 17.4)
 * @ack_pending: received packets are still to be acknowledged
 * @peer_cid_len: bytes of the connection ID in the headers we send, 0 to 20
 * @ack_delay_exponent: transport parameter that we sent, 0 to 20
 * @peer_ack_delay_exponent: the peer's, 0 to 20
 * @max_ack_delay: transport parameter that we sent, ns
 * @max_datagram_frame_size: transport parameter that we sent, bytes with type and length; 0: none
 * @peer_max_datagram_frame_size: the peer's; 0: it takes no DATAGRAM frames
 * @mtu: UDP payload size validated for the path, 1200 to @mtu_ceiling
 * @mtu_ceiling: largest UDP payload to probe for; @mtu for no search
 * @idle_timeout: max_idle_timeout that we sent, ns; 0: none
 * @peer_idle_timeout: the peer's, ns; 0: none
 * @keepalive: silence before a PING, ns; 0: none
 * @keys: suite, generation, limits; its next_pn is not used (@recovery has it)
 * @recovery: congestion control, RTT, ring, next packet number; its max_datagram_size is not used (@mtu is)
 * @received: packet number ranges received, newest first, at most 32; may be NULL with @received_count 0
 * @received_count: number of @received
 * @received_floor: packets below count as received
 * @received_ecn: ECN codepoints received
 * @control_slots: memory for reliable control frames; may be NULL with @control_capacity 0
 * @control_capacity: number of @control_slots
 */
struct nqd_conn_config {
	bool client;
	bool spin;
	bool ack_pending;
	u8 peer_cid_len;
	u8 ack_delay_exponent;
	u8 peer_ack_delay_exponent;
	u64 max_ack_delay;
	u64 max_datagram_frame_size;
	u64 peer_max_datagram_frame_size;
	u32 mtu;
	u32 mtu_ceiling;
	u64 idle_timeout;
	u64 peer_idle_timeout;
	u64 keepalive;
	struct nqd_keys_config keys;
	struct nqd_recovery_config recovery;
	const struct nqd_pn_range *received;
	u32 received_count;
	u64 received_floor;
	struct nqd_ecn_counts received_ecn;
	struct nqd_control_slot *control_slots;
	u32 control_capacity;
};

/**
 * struct nqd_conn_stats - what only the core can count; drops are counted by the home, by their reason
 * @rx_packets: packets opened and accepted
 * @rx_bytes: UDP payload bytes of these
 * @tx_packets: packets planned, without those that failed to be sealed
 * @tx_bytes: UDP payload bytes of these
 * @rx_datagrams: DATAGRAM frames received
 * @tx_datagrams: DATAGRAM frames sent
 * @rx_acks: ACK frames received
 * @tx_acks: ACK frames sent
 * @rx_other: other frames received, without PADDING
 * @tx_other: other frames sent, without PADDING
 * @tx_ack_only: packets sent with nothing but an ACK frame
 * @tx_cwnd: attempts to send that the window stopped
 * @tx_paced: attempts to send that the pacer delayed
 * @tx_too_big: payloads above the limit
 * @tx_failed: packets that were not sealed
 * @probes: PTO probes sent
 * @spurious: packets acknowledged after they had been declared lost
 * @errors: connection errors of the peer
 */
struct nqd_conn_stats {
	u64 rx_packets;
	u64 rx_bytes;
	u64 tx_packets;
	u64 tx_bytes;
	u64 rx_datagrams;
	u64 tx_datagrams;
	u64 rx_acks;
	u64 tx_acks;
	u64 rx_other;
	u64 tx_other;
	u64 tx_ack_only;
	u64 tx_cwnd;
	u64 tx_paced;
	u64 tx_too_big;
	u64 tx_failed;
	u64 probes;
	u64 spurious;
	u64 errors;
};

/**
 * struct nqd_conn_close_info - CONNECTION_CLOSE of the peer
 * @code: error code
 * @frame_type: type that caused it, 0 if unknown
 * @application: it was of type 0x1d
 */
struct nqd_conn_close_info {
	u64 code;
	u64 frame_type;
	bool application;
};

/**
 * struct nqd_conn - state of one connection
 * @events: NQD_CONN_EVENT_* not yet taken
 * @wanted: NQD_CONN_WANT_* to be sent
 * @probes: PTO probes to be sent
 * @overhead: bytes around the frames of a packet, without the packet number
 * @max_payload: largest DATAGRAM payload that can be sent now
 * @client: this end is the client
 * @spin_enabled: take part in the spin bit
 * @spin: spin bit of the packets we send, 0 or 1
 * @peer_ack_delay_exponent: the peer's ack_delay_exponent
 * @update_wanted: a key update of our own is wanted as soon as it is allowed
 * @ack_sent_at: when an ACK frame was sent last
 * @tx_at: when the pacer lets a pending packet out, or NQD_TIME_NEVER
 * @retry_at: nothing could be sent for want of keys or ring: no timer before this, 0 for none
 * @keys_out_at: since when the TX key may seal no more and cannot be changed, or NQD_TIME_NEVER
 * @max_datagram_frame_size: largest DATAGRAM frame the peer may send, 0: none
 * @peer_max_datagram_frame_size: largest that we may send, 0: none
 * @keys: key phases
 * @state: life and idle timers
 * @ack: when to acknowledge
 * @recovery: what is in flight, RTT, congestion control, pacer
 * @control: reliable control frames
 * @path: path validation
 * @pmtu: MTU search
 * @stats: counters
 * @peer_close: how the peer closed
 * @received: packet numbers received
 */
struct nqd_conn {
	u32 events;
	u32 wanted;
	u32 probes;
	u32 overhead;
	u32 max_payload;
	bool client;
	bool spin_enabled;
	u8 spin;
	u8 peer_ack_delay_exponent;
	bool update_wanted;
	u64 ack_sent_at;
	u64 tx_at;
	u64 retry_at;
	u64 keys_out_at;
	u64 max_datagram_frame_size;
	u64 peer_max_datagram_frame_size;
	struct nqd_keys keys;
	struct nqd_state state;
	struct nqd_ack_policy ack;
	struct nqd_recovery recovery;
	struct nqd_control control;
	struct nqd_path path;
	struct nqd_pmtu pmtu;
	struct nqd_conn_stats stats;
	struct nqd_conn_close_info peer_close;
	struct nqd_received received;
};

/**
 * struct nqd_conn_rx - one received packet on its way
 * @pn: packet number; set by nqd_conn_rx_begin()
 * @generation: keys to open it with; set by nqd_conn_rx_begin()
 * @size: UDP payload bytes of the packet
 * @first_byte: first byte of the header, unprotected
 * @ecn: enum nqd_ecn of its IP header
 * @path: enum nqd_path_index that it came on
 */
struct nqd_conn_rx {
	u64 pn;
	u64 generation;
	u32 size;
	u8 first_byte;
	u8 ecn;
	u8 path;
};

/**
 * struct nqd_conn_rx_result - what is in an accepted packet for the home
 * @datagrams: number of DATAGRAM frames
 * @datagram: payload of the first; for further ones walk the packet with nqd_frame_next()
 * @handup_frames: number of frames of class NQD_FRAME_HAND_UP
 * @handup_bytes: their bytes
 * @lone: a DATAGRAM frame is all there is, and no timer but the one of the acknowledgement is nearer for it
 */
struct nqd_conn_rx_result {
	bool lone;
	u32 datagrams;
	struct nqd_span datagram;
	u32 handup_frames;
	u32 handup_bytes;
};

/**
 * struct nqd_conn_plan - one packet, or a batch of equal ones, to be sealed and sent
 * @pn: packet number of the first
 * @generation: keys to seal with
 * @departure: when it leaves: now; with NQD_CONN_PACED when to try again
 * @count: packets: numbers @pn to @pn + @count - 1
 * @size: UDP payload bytes of each
 * @frames_len: bytes in the caller's buffer that come before the payload
 * @first_byte: first byte of the header, to be protected
 * @pn_len: bytes of the packet number in the header, the same for the whole batch
 * @ecn: enum nqd_ecn for the IP header
 * @path: enum nqd_path_index to send it on
 */
struct nqd_conn_plan {
	u64 pn;
	u64 generation;
	u64 departure;
	u32 count;
	u32 size;
	u32 frames_len;
	u8 first_byte;
	u8 pn_len;
	u8 ecn;
	u8 path;
};

int nqd_conn_init(struct nqd_conn *c, const struct nqd_conn_config *config, u64 now, const char **why);
int nqd_conn_activate(struct nqd_conn *c, u64 now);
int nqd_conn_close(struct nqd_conn *c, u64 now, u64 code, bool application);
int nqd_conn_update_keys(struct nqd_conn *c, u64 now);
int nqd_conn_next_keys_installed(struct nqd_conn *c, u64 now, enum nqd_keys_dir dir, u64 generation);
int nqd_conn_queue_control(struct nqd_conn *c, u64 id, const u8 *bytes, u32 len);
int nqd_conn_queue_control_once(struct nqd_conn *c, u64 id, const u8 *bytes, u32 len);
int nqd_conn_set_timers(struct nqd_conn *c, u64 idle_timeout, u64 keepalive);
int nqd_conn_set_mtu(struct nqd_conn *c, u64 now, u32 mtu, u32 ceiling);
int nqd_conn_set_congestion(struct nqd_conn *c, u64 now, enum nqd_congestion kind, bool lab_mode,
			    u64 fixed_rate);
int nqd_conn_set_key_limits(struct nqd_conn *c, enum nqd_cipher_suite suite, u64 seal_limit,
			    u64 open_failure_limit);
int nqd_conn_update_keys_now(struct nqd_conn *c, u64 now);
void nqd_conn_set_ecn(struct nqd_conn *c, bool wanted);
int nqd_conn_validate_path(struct nqd_conn *c, u64 now, enum nqd_path_index target,
			   const u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN]);
void nqd_conn_mtu_reported(struct nqd_conn *c, u64 now, u32 mtu);

enum nqd_drop_reason nqd_conn_rx_opened(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
					const u8 *payload, u32 len, u32 handup_room,
					struct nqd_conn_rx_result *res);
enum nqd_drop_reason nqd_conn_rx_failed(struct nqd_conn *c, u64 now);

enum nqd_conn_verdict nqd_conn_tx_datagram(struct nqd_conn *c, u64 now, u32 payload_len, u8 *buf,
					   u32 room, struct nqd_conn_plan *plan);
enum nqd_conn_verdict nqd_conn_tx_batch(struct nqd_conn *c, u64 now, u32 payload_len, u32 max_packets,
					u8 *buf, u32 room, struct nqd_conn_plan *plan);
enum nqd_conn_verdict nqd_conn_tx_pending(struct nqd_conn *c, u64 now, u8 *buf, u32 room,
					  struct nqd_conn_plan *plan);
void nqd_conn_tx_failed(struct nqd_conn *c, u64 now, u64 pn);

u64 nqd_conn_deadline(const struct nqd_conn *c);
void nqd_conn_on_timer(struct nqd_conn *c, u64 now);

/**
 * nqd_conn_events() - take what happened since the last call
 * @c: connection
 *
 * Return: NQD_CONN_EVENT_* bitmap.
 */
static inline u32 nqd_conn_events(struct nqd_conn *c)
{
	u32 events = c->events;

	c->events = 0;
	return events;
}

/**
 * nqd_conn_tx_wanted() - is there something for nqd_conn_tx_pending()?
 * @c: connection
 * @now: time
 *
 * Return: true if so; it may still be held back by window or pacer.
 */
static inline bool nqd_conn_tx_wanted(const struct nqd_conn *c, u64 now)
{
	return c->wanted || nqd_ack_due(&c->ack, now);
}

/**
 * nqd_conn_max_payload() - largest DATAGRAM payload that fits into a packet
 * @c: connection
 *
 * Return: bytes, 0 if the peer takes no DATAGRAM frames; changes with NQD_CONN_EVENT_MTU.
 */
static inline u32 nqd_conn_max_payload(const struct nqd_conn *c)
{
	return c->max_payload;
}

/**
 * nqd_conn_app_limited() - the home's queue ran empty
 * @c: connection
 */
static inline void nqd_conn_app_limited(struct nqd_conn *c)
{
	nqd_recovery_app_limited(&c->recovery);
}

/**
 * nqd_conn_rx_begin() - packet number and keys of a received packet
 * @c: connection
 * @rx: packet: first_byte, size, ecn, path are given; pn and generation are set
 * @truncated_pn: packet number as in the header, unprotected
 *
 * Return: NQD_DROP_NONE to open the packet with the keys of rx->generation, or why it is dropped.
 */
static inline enum nqd_drop_reason nqd_conn_rx_begin(struct nqd_conn *c, struct nqd_conn_rx *rx,
						     u32 truncated_pn)
{
	u8 pn_len = (u8)((rx->first_byte & NQD_PN_LEN_MASK) + 1);

	if (unlikely(c->state.state != NQD_SESSION_STATE_ACTIVE &&
		     c->state.state != NQD_SESSION_STATE_CLOSING))
		return NQD_DROP_STATE;
	/* RFC 9000 section 17.1 and appendix A.3. */
	rx->pn = nqd_pn_decode(c->received.largest, truncated_pn, pn_len);
	if (unlikely(rx->pn > NQD_PN_MAX))
		return NQD_DROP_PACKET_NUMBER;
	return nqd_keys_rx_select(&c->keys, (rx->first_byte >> NQD_CONN_PHASE_SHIFT) & 1, rx->pn,
				  &rx->generation);
}

#endif

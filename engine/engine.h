/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user-space data plane as Python sees it. One thread sits in nqe_engine_run(); every other
 * function may be called from any thread meanwhile. Functions return 0 or a negative errno unless
 * they say otherwise; ids are positive and never used twice.
 *
 * The install contract is the kernel module's: a session is added in HOLD, where its datagrams are
 * only kept, and activated with keys and protocol state.
 */
#ifndef NQE_ENGINE_H
#define NQE_ENGINE_H

#include "conn.h"
#include "crypto.h"
#include "screen.h"
#include "tun.h"
#include "udp.h"

#define NQE_RESET_TOKEN 16
#define NQE_DEFAULT_QUEUE (4U << 20)

struct nqe_engine;

/**
 * struct nqe_device_stats - counters of a device
 * @rx_packets: IP packets given to the kernel
 * @rx_bytes: their bytes
 * @tx_packets: IP packets taken from the kernel, super-packets counted by their segments
 * @tx_bytes: their bytes
 * @tx_supers: super-packets among the reads
 * @tx_merged: IP packets in them
 * @rx_supers: super-packets written
 * @rx_merged: IP packets that travelled in super-packets
 * @rx_failed: IP packets that the kernel did not take
 * @drops: by enum nqd_drop_reason, for what belongs to no session
 */
struct nqe_device_stats {
	u64 rx_packets;
	u64 rx_bytes;
	u64 tx_packets;
	u64 tx_bytes;
	u64 tx_supers;
	u64 tx_merged;
	u64 rx_supers;
	u64 rx_merged;
	u64 rx_failed;
	u64 drops[__NQD_DROP_COUNT];
};

/**
 * struct nqe_socket_stats - counters of a socket
 * @rx_datagrams: UDP datagrams
 * @rx_batches: messages they came in (UDP_GRO)
 * @tx_datagrams: UDP datagrams sent
 * @tx_batches: calls to the kernel for them
 * @other: datagrams of no session, kept for user space
 * @other_dropped: such that found the queue full
 * @gso_refused: batches that had to be sent one by one
 * @screened: datagrams of no session that user space did not get, by enum nqe_screen_verdict
 * @drops: by enum nqd_drop_reason, for what belongs to no session
 */
struct nqe_socket_stats {
	u64 rx_datagrams;
	u64 rx_batches;
	u64 tx_datagrams;
	u64 tx_batches;
	u64 other;
	u64 other_dropped;
	u64 gso_refused;
	u64 screened[__NQE_SCREEN_COUNT];
	u64 drops[__NQD_DROP_COUNT];
};

/**
 * struct nqe_policy - how the packets of a session leave
 * @mtu: largest inner packet; 0: whatever fits a datagram
 * @mark: SO_MARK of the datagrams; 0: that of the socket
 * @dscp: of the datagrams
 * @dscp_inherit: IP packets give theirs to their datagrams
 * @ecn: marks are wanted; an activation says it once more, in struct nqd_recovery_config
 * @send_data: the peer is ready for IP packets
 */
struct nqe_policy {
	u32 mtu;
	u32 mark;
	u8 dscp;
	bool dscp_inherit;
	bool ecn;
	bool send_data;
};

/**
 * struct nqe_session_config - what a session is added with, in state HOLD
 * @device: id
 * @socket: id
 * @object_generation: of the caller; every event carries it
 * @remote: peer
 * @local: source address; family 0 leaves it to routing
 * @local_cid: local connection IDs, each of the socket's length
 * @local_cids: their number; 0 with a socket whose connection IDs have no length
 * @peer_cid: connection ID to send to
 * @peer_cid_len: its bytes
 * @reset_token: the peer's stateless reset tokens
 * @reset_tokens: their number
 * @queue_limit: memory of packets waiting to be sent; 0: NQE_DEFAULT_QUEUE
 * @route_epoch: epoch of the routes that the session was made for
 * @policy: how packets leave
 */
struct nqe_session_config {
	u32 device;
	u32 socket;
	u64 object_generation;
	struct nqe_address remote;
	struct nqe_address local;
	u8 local_cid[NQD_LOCAL_CIDS_MAX][NQD_CID_MAX_LEN];
	u32 local_cids;
	u8 peer_cid[NQD_CID_MAX_LEN];
	u8 peer_cid_len;
	u8 reset_token[NQD_PEER_CIDS_MAX][NQE_RESET_TOKEN];
	u32 reset_tokens;
	u32 queue_limit;
	u64 route_epoch;
	struct nqe_policy policy;
};

/**
 * struct nqe_session_update - what changes of a session; in HOLD the policy alone
 * @policy: replaces the former one
 * @idle_timeout: effective idle timeout, ns; 0: none
 * @keepalive: silence before a PING, ns; 0: none
 * @datagram_size: UDP payload size that the path is known to carry; 0: leave it
 * @datagram_ceiling: largest to search for
 */
struct nqe_session_update {
	struct nqe_policy policy;
	u64 idle_timeout;
	u64 keepalive;
	u32 datagram_size;
	u32 datagram_ceiling;
};

/**
 * struct nqe_keys - one direction; wiped by the engine after use
 * @hp: header protection key of the first generation
 * @key: packet protection key of the current generation
 * @iv: its IV
 * @next_key: of the next generation, valid with @has_next
 * @next_iv: of the next generation
 * @secret: traffic secret of the current generation, valid with @has_secret: then @key, @iv and all
 * later generations are derived from it
 * @previous_key: of the generation before, valid with @has_previous and without @has_secret
 * @previous_iv: its IV
 * @previous_secret: traffic secret of the generation before, valid with both
 * @has_next: v1 with preinstalled next keys
 * @has_secret: v2
 * @has_previous: RX: packets of the generation before may still come
 */
struct nqe_keys {
	u8 hp[NQE_CRYPTO_MAX_KEY];
	u8 key[NQE_CRYPTO_MAX_KEY];
	u8 iv[NQE_CRYPTO_IV];
	u8 next_key[NQE_CRYPTO_MAX_KEY];
	u8 next_iv[NQE_CRYPTO_IV];
	u8 secret[NQE_CRYPTO_MAX_SECRET];
	u8 previous_key[NQE_CRYPTO_MAX_KEY];
	u8 previous_iv[NQE_CRYPTO_IV];
	u8 previous_secret[NQE_CRYPTO_MAX_SECRET];
	bool has_next;
	bool has_secret;
	bool has_previous;
};

/**
 * struct nqe_held - a raw datagram that user space took from the socket before the session was
 * added
 * @data: the datagram
 * @len: its bytes
 * @ecn: enum nqd_ecn
 * @remote: where it came from
 */
struct nqe_held {
	const u8 *data;
	u32 len;
	u8 ecn;
	struct nqe_address remote;
};

/**
 * struct nqe_activation - what turns a session in HOLD into an active one
 * @conn: protocol state; the engine sets peer_cid_len, ring and control slots
 * @rx: keys
 * @tx: keys
 * @drained: datagrams to be processed first
 * @drained_count: their number
 */
struct nqe_activation {
	struct nqd_conn_config conn;
	struct nqe_keys rx;
	struct nqe_keys tx;
	const struct nqe_held *drained;
	u32 drained_count;
};

/**
 * struct nqe_session_stats - counters and state of a session
 * @state: enum nqd_session_state
 * @object_generation: the caller's
 * @conn: of the protocol core
 * @rx_packets: inner IP packets given to the device
 * @rx_bytes: their bytes
 * @tx_packets: inner IP packets sent
 * @tx_bytes: their bytes
 * @gso_batches: calls that sent several datagrams at once
 * @gso_datagrams: datagrams in them
 * @paced_ns: time that the pacer held packets back, ns
 * @queue_bytes: memory of waiting packets
 * @queue_packets: waiting packets, super-packets counted once
 * @held: datagrams kept in HOLD
 * @unacknowledged: events not yet acknowledged
 * @drops: by enum nqd_drop_reason
 * @smoothed_rtt: ns
 * @min_rtt: ns
 * @latest_rtt: ns
 * @rtt_variation: ns
 * @cwnd: bytes
 * @ssthresh: bytes, 2^64-1: none
 * @bytes_in_flight: bytes
 * @pacing_rate: bytes a second
 * @lost: packets declared lost
 * @lost_bytes: bytes of these
 * @lost_datagrams: DATAGRAM frames in them
 * @reductions: of the congestion window
 * @persistent: times that congestion persisted
 * @sealed: packets under the current TX key
 * @seal_limit: most of these
 * @open_failures: packets that did not authenticate
 * @open_failure_limit: most of these
 * @rx_generation: key generation
 * @tx_generation: key generation
 * @key_updates: completed
 * @updates_local: those of them that this end began
 * @updates_missed: packets of a next phase whose keys were not there
 * @mtu: UDP payload size in use
 * @inner_mtu: largest inner packet that may leave
 * @congestion: enum nqd_congestion; fixed_rate_test is a laboratory mode
 * @error_code: of the CONNECTION_CLOSE that was sent
 */
struct nqe_session_stats {
	u32 state;
	u64 object_generation;
	struct nqd_conn_stats conn;
	u64 rx_packets;
	u64 rx_bytes;
	u64 tx_packets;
	u64 tx_bytes;
	u64 gso_batches;
	u64 gso_datagrams;
	u64 paced_ns;
	u64 queue_bytes;
	u32 queue_packets;
	u32 held;
	u64 unacknowledged;
	u64 drops[__NQD_DROP_COUNT];
	u64 smoothed_rtt;
	u64 min_rtt;
	u64 latest_rtt;
	u64 rtt_variation;
	u64 cwnd;
	u64 ssthresh;
	u64 bytes_in_flight;
	u64 pacing_rate;
	u64 lost;
	u64 lost_bytes;
	u64 lost_datagrams;
	u64 reductions;
	u64 persistent;
	u64 sealed;
	u64 seal_limit;
	u64 open_failures;
	u64 open_failure_limit;
	u64 rx_generation;
	u64 tx_generation;
	u64 key_updates;
	u64 updates_local;
	u64 updates_missed;
	u32 mtu;
	u32 inner_mtu;
	u32 congestion;
	u64 error_code;
};

/**
 * enum nqe_event_type - what nqe_engine_next_event() reports
 * @NQE_EVENT_NONE: nothing
 * @NQE_EVENT_FRAMES: frames for user space, in @data
 * @NQE_EVENT_DATAGRAM: DATAGRAM payload of a context other than 0, in @data with its context ID
 * @NQE_EVENT_FRAMES_ACKED: the frames sent with id value[0] were acknowledged
 * @NQE_EVENT_FRAMES_LOST: the packet value[1] with the frames of id value[0] was lost, which makes
 * value[2] times; value[3]: they are not sent again
 * @NQE_EVENT_STATE: @flags holds NQD_CONN_EVENT_* and NQE_EVENT_FLAG_*; value[0] rx generation,
 * value[1] tx generation, value[2] largest inner packet, value[3] error code of a close, either
 * side's
 */
enum nqe_event_type {
	NQE_EVENT_NONE,
	NQE_EVENT_FRAMES,
	NQE_EVENT_DATAGRAM,
	NQE_EVENT_FRAMES_ACKED,
	NQE_EVENT_FRAMES_LOST,
	NQE_EVENT_STATE,
};

/* Of nqe_session_send_frames(). */
enum nqe_frames_flag {
	NQE_FRAMES_ONCE = 1, /* not again after a loss */
	NQE_FRAMES_SILENT = 2, /* neither NQE_EVENT_FRAMES_ACKED nor NQE_EVENT_FRAMES_LOST */
};

#define NQE_EVENT_FLAG_TUPLE 0x1000000 /* authentic packets came from another address */
#define NQE_EVENT_FLAG_RESET 0x2000000 /* stateless reset */
#define NQE_EVENT_FLAG_EPOCH 0x4000000 /* packets dropped: the route epoch is not the device's */
#define NQE_EVENT_FLAG_ACTIVE 0x8000000 /* activated */
#define NQE_EVENT_FLAG_REPLAY 0x10000000 /* packets dropped: duplicate, or too old to tell */

/**
 * struct nqe_event - one event
 * @type: enum nqe_event_type
 * @session: id
 * @flags: with NQE_EVENT_STATE
 * @object_generation: the caller's
 * @sequence: rises by one with every event of the session that is to be acknowledged; 0: it is not
 * @value: see the type
 * @len: bytes of @data
 * @data: to be released with nqe_event_release()
 */
struct nqe_event {
	u32 type;
	u32 session;
	u32 flags;
	u64 object_generation;
	u64 sequence;
	u64 value[4];
	u32 len;
	u8 *data;
};

/**
 * struct nqe_datagram - a UDP datagram of no session
 * @remote: where it came from
 * @local: where it was sent to; family 0 where the kernel did not say
 * @ecn: enum nqd_ecn
 * @len: bytes of @data
 * @data: to be released with nqe_datagram_release()
 */
struct nqe_datagram {
	struct nqe_address remote;
	struct nqe_address local;
	u8 ecn;
	u32 len;
	u8 *data;
};

/* NULL without memory or file descriptors: errno says which. */
struct nqe_engine *nqe_engine_new(void);
/* Frees everything, keys wiped; nobody may be in another function. */
void nqe_engine_free(struct nqe_engine *e);
/* Works for @max_ns, or until nqe_engine_stop(). Returns 0, or the errno of a failed wait. */
int nqe_engine_run(struct nqe_engine *e, u64 max_ns);
/* Lets nqe_engine_run() return now, or at its next call. */
void nqe_engine_stop(struct nqe_engine *e);
/*
 * Becomes readable when there are events; the reader drains it, then takes events until there are
 * none.
 */
int nqe_engine_event_fd(const struct nqe_engine *e);
/* Takes one event; returns whether there was one. */
bool nqe_engine_next_event(struct nqe_engine *e, struct nqe_event *event);
void nqe_event_release(struct nqe_event *event);

/*
 * Devices. @offloads: enum nqe_tun_offload. @name: NQE_TUN_NAME bytes, in and out. Returns the id.
 */
int nqe_device_add(struct nqe_engine *e, char *name, u32 offloads);
/* -EBUSY while sessions use it. */
int nqe_device_remove(struct nqe_engine *e, u32 device);
int nqe_device_set_epoch(struct nqe_engine *e, u32 device, u64 epoch);
int nqe_device_stats(struct nqe_engine *e, u32 device, struct nqe_device_stats *stats);
int nqe_device_offloads(struct nqe_engine *e, u32 device);

/*
 * Sockets. The engine works on a duplicate of @fd. @offloads: enum nqe_udp_offload. Returns the id.
 */
int nqe_socket_add(struct nqe_engine *e, int fd, u8 cid_len, u32 offloads);
/*
 * Datagrams of no session, long headers among them: becomes readable as nqe_engine_event_fd() does.
 */
int nqe_socket_event_fd(struct nqe_engine *e, u32 socket);
/*
 * Takes up to @max such datagrams; returns how many there were. Each call makes the loop wait for its
 * caller once: many at a time, when there are many.
 */
u32 nqe_socket_receive(struct nqe_engine *e, u32 socket, struct nqe_datagram *datagrams, u32 max);
void nqe_datagram_release(struct nqe_datagram *datagram);
/*
 * From now on only such that may begin a handshake, or go to a connection ID that is expected; all else
 * is counted as @screened and dropped. -EINVAL: this socket's connection IDs have no length.
 */
int nqe_socket_screen(struct nqe_engine *e, u32 socket);
/* A handshake's connection ID; the handshake is not to be answered before. -EINVAL: of another length. */
int nqe_socket_expect(struct nqe_engine *e, u32 socket, const u8 *cid, u32 len);
int nqe_socket_forget(struct nqe_engine *e, u32 socket, const u8 *cid, u32 len);
/* -EBUSY while sessions use it. */
int nqe_socket_remove(struct nqe_engine *e, u32 socket);
int nqe_socket_stats(struct nqe_engine *e, u32 socket, struct nqe_socket_stats *stats);
int nqe_socket_offloads(struct nqe_engine *e, u32 socket);

/* Sessions. Returns the id; -EEXIST: a connection ID, or the address, is taken. */
int nqe_session_add(struct nqe_engine *e, const struct nqe_session_config *config);
/* @why: where a refusal is explained. -EALREADY unless the session is in HOLD. */
int nqe_session_activate(struct nqe_engine *e, u32 session, struct nqe_activation *activation,
			 const char **why);
/* Ends it silently, at once. */
int nqe_session_delete(struct nqe_engine *e, u32 session);
/* Sends CONNECTION_CLOSE; the session goes after NQD_CONN_EVENT_DRAINED, in HOLD at once. */
int nqe_session_close(struct nqe_engine *e, u32 session, u64 code, bool application);
int nqe_session_stats(struct nqe_engine *e, u32 session, struct nqe_session_stats *stats);
int nqe_session_set_generation(struct nqe_engine *e, u32 session, u64 object_generation);
/* @why: where a refusal is explained. -EINVAL: nothing has changed. */
int nqe_session_update(struct nqe_engine *e, u32 session, const struct nqe_session_update *update,
		       const char **why);
int nqe_session_set_epoch(struct nqe_engine *e, u32 session, u64 epoch);
/*
 * Replaces local and peer connection IDs and reset tokens; the length of the peer's may not change.
 */
int nqe_session_set_cids(struct nqe_engine *e, u32 session,
			 const struct nqe_session_config *config);
/* v1: keys of the generation after the current one. @keys->key and iv are used, and wiped. */
int nqe_session_next_keys(struct nqe_engine *e, u32 session, bool rx, u64 generation,
			  struct nqe_keys *keys);
/* Starts a key update, now or as soon as it is allowed (-EINPROGRESS). */
int nqe_session_update_keys(struct nqe_engine *e, u32 session);
/*
 * Frames, repeated until acknowledged: NQE_EVENT_FRAMES_ACKED with @id. @flags: enum nqe_frames_flag.
 * -ENOSPC: too many unacknowledged.
 */
int nqe_session_send_frames(struct nqe_engine *e, u32 session, u64 id, u32 flags, const u8 *frames,
			    u32 len);
/*
 * One DATAGRAM payload, context ID included, not context 0. -EMSGSIZE, -ENOTCONN, -ENOSPC: queue
 * full.
 */
int nqe_session_send_datagram(struct nqe_engine *e, u32 session, const u8 *payload, u32 len);
/* Releases the events up to that sequence number. -EINVAL: there was none of it yet. */
int nqe_session_acknowledge(struct nqe_engine *e, u32 session, u64 sequence);

/* Prefixes. Routes lead out to a session; sources are what its peer may send from. */
int nqe_route_set(struct nqe_engine *e, u32 device, u32 session, u8 family, const u8 *ip, u8 len);
int nqe_route_unset(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len);
/* The session that a route leads to, 0 for none. */
u32 nqe_route_session(struct nqe_engine *e, u32 device, u8 family, const u8 *ip, u8 len);
int nqe_source_allow(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len);
int nqe_source_deny(struct nqe_engine *e, u32 session, u8 family, const u8 *ip, u8 len);

#endif

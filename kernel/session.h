/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A session: one established QUIC connection, from ADD_SESSION to its end.
 *
 *   control   session.c life and references, session_find.c who gets a datagram, session_config.c what
 *             user space set, activate.c, keyring.c keys, session_event.c what the protocol core reports,
 *             owner.c what the owner must hear of, stats.c counters
 *   data      behind datapath.h
 *
 * References: the table of the device holds one; a datagram on its way through an asynchronous cipher, an
 * armed timer and a queued work hold one each. Under RCU a session that was found may be used without
 * one. A session holds a reference to its device and to its socket, until it is freed: in process
 * context, a grace period after the last reference went (queue_rcu_work()).
 *
 * Locks, outermost first: genl_mutex; rtnl; nqd_net.lock (mutex): configuration, tables of sessions and
 * routes; nqd_session.lock (spinlock, BH off): the protocol core's state. Nothing is sealed, opened,
 * sent or delivered under nqd_session.lock; netlink messages are.
 */
#ifndef _NQD_SESSION_H
#define _NQD_SESSION_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "address.h"
#include "datapath.h"
#include "device.h"
#include "keyring.h"
#include "owner.h"
#include "proto/conn.h"
#include "routes.h"
#include "session_find.h"
#include "stats.h"

struct nqd_device;
struct nqd_figures;
struct nqd_socket;
struct nqd_secrets;

/* Blobs of SEND_FRAMES that one session keeps until they are acknowledged. */
#define NQD_SESSION_CONTROL_SLOTS 32

/* What nqd_session.work is to do: bits of @work_bits. */
enum {
	NQD_SESSION_WORK_RING, /* let the ring of packets in flight grow */
	NQD_SESSION_WORK_KEYS, /* derive the keys of the next generations */
	NQD_SESSION_WORK_OWNER, /* send again what the owner's socket had no room for */
	NQD_SESSION_WORK_END, /* CLOSING or DRAINING is over, or the session ended without either */
};

/* State events that are told at most once a second: index of @noisy. */
enum nqd_session_noise {
	NQD_NOISE_EPOCH,
	NQD_NOISE_REPLAY,
	NQD_NOISE_TUPLE,
	NQD_NOISE_CONGESTION,
	NQD_NOISES,
};

/**
 * struct nqd_session_config - what ADD_SESSION and UPDATE_SESSION set; protected by nqd_net.lock
 * @generation: of the caller, strictly rising
 * @network_id: L3 network
 * @route_epoch: epoch of the network that the session is for
 * @flags: bits of enum nqd_session_flag
 * @role: enum nqd_role
 * @congestion: enum nqd_congestion
 * @lab_rate: bytes a second of NQD_CONGESTION_FIXED_RATE_TEST
 * @idle_timeout_ms: of the caller; used if @has_idle_timeout, else the parameters count
 * @has_idle_timeout: see @idle_timeout_ms
 * @keepalive_ms: silence before a PING
 * @datagram_size: validated UDP payload size
 * @mtu: largest inner packet, 0: what a datagram carries
 * @confidentiality_limit: packets a key, 0: the suite's
 * @integrity_limit: forged packets, 0: the suite's
 * @outer_set: which of the next four are the session's own: bits by number of their attribute
 * @fwmark: mark of the outer packets
 * @dscp_policy: enum nqd_dscp_policy
 * @dscp: outer DSCP, 0 to 63
 * @ecn_policy: enum nqd_ecn_policy
 * @local_params: transport parameters that we sent
 * @peer_params: the peer's
 * @local_cids: connection IDs that lead here
 * @local_cid: the first @local_cids of them
 * @peer_cids: connection IDs that lead to the peer
 * @peer_cid: the first @peer_cids of them; the first one is in use
 * @sources: number of @source
 * @source: prefixes that the peer may send from
 */
struct nqd_session_config {
	u64 generation;
	u64 network_id;
	u64 route_epoch;
	u32 flags;
	u32 role;
	u32 congestion;
	u64 lab_rate;
	u32 idle_timeout_ms;
	bool has_idle_timeout;
	u32 keepalive_ms;
	u32 datagram_size;
	u32 mtu;
	u64 confidentiality_limit;
	u64 integrity_limit;
	u64 outer_set;
	u32 fwmark;
	u32 dscp_policy;
	u32 dscp;
	u32 ecn_policy;
	struct nqd_transport_params local_params;
	struct nqd_transport_params peer_params;
	u32 local_cids;
	struct nqd_cid local_cid[NQD_LOCAL_CIDS_MAX];
	u32 peer_cids;
	struct nqd_cid peer_cid[NQD_PEER_CIDS_MAX];
	u32 sources;
	struct nqd_prefix *source;
};

/**
 * struct nqd_session - a session
 * @device: its device, a reference
 * @socket: its socket, a reference
 * @suite: negotiated cipher suite
 * @stats: counters of each CPU
 * @remote: the peer; does not change
 * @local: source address, family 0 leaves it to routing; does not change
 * @local_port: of the socket; does not change
 * @flags: bits of enum nqd_session_flag; data may be sent with NQD_SESSION_FLAG_SEND_DATA. Written under
 *	nqd_net.lock, read without
 * @route_epoch: epoch of the network that the session is for; likewise
 * @mtu: largest inner packet that user space allows, 0: what a datagram carries; likewise
 * @fwmark: mark of the outer packets; likewise
 * @dscp_policy: enum nqd_dscp_policy; likewise
 * @dscp: outer DSCP; likewise
 * @ecn_policy: enum nqd_ecn_policy; likewise
 * @sources: prefixes that the peer may send from, any value means allowed; NULL: none. Read under RCU
 * @rx_hp: header protection of what comes
 * @tx_hp: header protection of what goes
 * @rx_keys: packet protection of what comes
 * @tx_keys: packet protection of what goes
 * @lock: protects what follows, up to @data; BH off
 * @running: @conn, header protection and keys are valid; set once under @lock
 * @active: and datagrams are no longer held: HOLD is over. Set once under @lock, with release semantics
 * @dead: nothing is opened, sent or told any more. Set once under @lock
 * @down: its session-down was told
 * @peer_cid_len: bytes of @peer_cid; does not change
 * @peer_cid: connection ID to send to
 * @tokens: number of @token
 * @token: the peer's stateless reset tokens
 * @held: datagrams kept in HOLD (skb->cb: struct nqd_rx_cb)
 * @conn: protocol state
 * @control_slots: memory of @conn
 * @control: what SEND_FRAMES asked for, by the number of its slot
 * @updates_local: key updates of ours
 * @updates_peer: key updates of the peer
 * @logged: losses, probes and reductions that the log has, see SET_DEBUG
 * @noisy: when an event of that kind may be told again, ns
 * @noise: packets since the last event of that kind
 * @owner: events for the owner
 * @data: the data path's
 * @work: does what must sleep
 * @work_bits: what, NQD_SESSION_WORK_*
 * @secrets: v2: traffic secrets; the activation's, then @work's
 * @id: number, unique in the device
 * @generation: config.generation, to be read without a lock
 * @config: what user space set
 * @names: ways to be found
 * @routes: routes that lead here; protected by nqd_net.lock
 * @zero: counters at the time of FLUSH_STATS, or NULL; protected by nqd_net.lock
 * @device_node: in the device's table, by @id
 * @socket_node: in the list of its socket; protected by nqd_net.lock
 * @end_node: in a list of sessions that end together
 * @refs: see the head of this file
 * @free_work: frees it
 * @device_tracker: of the reference to the device
 */
struct nqd_session {
	struct nqd_device *device;
	struct nqd_socket *socket;
	const struct nqd_suite *suite;
	struct nqd_stats __percpu *stats;
	union nqd_address remote;
	union nqd_address local;
	__be16 local_port;
	u32 flags;
	u32 mtu;
	u64 route_epoch;
	u32 fwmark;
	u8 dscp_policy;
	u8 dscp;
	u8 ecn_policy;
	struct nqd_routes __rcu *sources;
	struct nqd_header_cipher rx_hp;
	struct nqd_header_cipher tx_hp;
	struct nqd_keyring rx_keys;
	struct nqd_keyring tx_keys;

	/* The protocol core's state, see above. */
	spinlock_t lock ____cacheline_aligned_in_smp;
	bool running;
	bool active;
	bool dead;
	bool down;
	u8 peer_cid_len;
	u8 peer_cid[NQD_CID_MAX_LEN];
	u32 tokens;
	struct nqd_reset_token token[NQD_PEER_CIDS_MAX];
	struct sk_buff_head held;
	struct nqd_conn conn;
	struct nqd_control_slot control_slots[NQD_SESSION_CONTROL_SLOTS];
	struct nqd_owner_blob *control[NQD_SESSION_CONTROL_SLOTS];
	u64 updates_local;
	u64 updates_peer;
	u64 logged;
	u64 noisy[NQD_NOISES];
	u64 noise[NQD_NOISES];
	struct nqd_owner owner;

	struct nqd_datapath data;

	struct delayed_work work;
	unsigned long work_bits;
	struct nqd_secrets *secrets;

	u64 id;
	u64 generation;
	struct nqd_session_config config;
	struct nqd_session_names names;
	struct list_head routes;
	struct nqd_figures *zero;
	struct rb_node device_node;
	struct list_head socket_node;
	struct list_head end_node;
	refcount_t refs;
	struct rcu_work free_work;
	netdevice_tracker device_tracker;
};

extern struct workqueue_struct *nqd_session_queue;

/* session.c */
struct nqd_session *nqd_session_alloc(struct nqd_device *nd, u64 id);
void nqd_session_put(struct nqd_session *s);
void nqd_session_work(struct nqd_session *s, unsigned int bit);
void nqd_session_work_later(struct nqd_session *s, unsigned int bit, unsigned long delay);
struct nqd_session *nqd_session_by_id(const struct nqd_device *nd, u64 id);
struct nqd_session *nqd_session_from(const struct nqd_device *nd, u64 id);
int nqd_session_insert(struct nqd_session *s);
void nqd_session_unlink(struct nqd_session *s, enum nqd_down_reason reason, struct list_head *ended);
void nqd_session_release(struct list_head *ended);
void nqd_session_end_all(struct nqd_device *nd, enum nqd_down_reason reason);
void nqd_session_end_held(struct nqd_device *nd, struct list_head *ended);
void nqd_session_device_changed(struct nqd_device *nd);
void nqd_session_device_adopted(struct nqd_device *nd);
bool nqd_session_is_reset(const struct nqd_session *s, const u8 *datagram, u32 len);
int nqd_session_init(void);
void nqd_session_exit(void);

/* session_event.c */
void nqd_session_tell_up(struct nqd_session *s);
void nqd_session_tell_down(struct nqd_session *s, enum nqd_down_reason reason, bool gone);
void nqd_session_events(struct nqd_session *s);
void nqd_session_reset_seen(struct nqd_session *s);
void nqd_event_session_noisy(struct nqd_session *s, enum nqd_session_noise noise);

/* activate.c */
void nqd_session_hold(struct nqd_session *s, struct sk_buff *skb);

/**
 * nqd_session_get() - keep a session beyond the RCU read side
 * @s: session that was found under RCU
 *
 * Return: true, to be given back by nqd_session_put(); false if it is being freed.
 */
static inline bool nqd_session_get(struct nqd_session *s)
{
	return refcount_inc_not_zero(&s->refs);
}

/**
 * nqd_session_is_active() - is HOLD over? Then @conn and the keys may be used
 * @s: session
 *
 * Return: true if so; it may be CLOSING or DRAINING already.
 */
static inline bool nqd_session_is_active(const struct nqd_session *s)
{
	/* Pairs with the release in activate.c: what it has filled in is seen. */
	return smp_load_acquire(&s->active);
}

/**
 * nqd_session_mtu() - largest inner packet: what one DATAGRAM frame holds, or less where user space says so
 * @s: session whose connection runs
 *
 * Return: bytes; 0 where none can be sent.
 */
static inline u32 nqd_session_mtu(const struct nqd_session *s)
{
	u32 payload = READ_ONCE(s->conn.max_payload), limit = READ_ONCE(s->mtu);
	/* One byte is the context ID. */
	u32 mtu = payload ? payload - 1 : 0;

	return limit ? min(limit, mtu) : mtu;
}

/**
 * nqd_now() - the clock of the protocol core and of every timer
 *
 * Return: CLOCK_MONOTONIC, ns.
 */
static inline u64 nqd_now(void)
{
	return ktime_get_ns();
}

/**
 * nqd_session_carried() - count inner IP packets that went through
 * @s: their session
 * @direction: which way they went
 * @packets: their number
 * @bytes: their bytes
 *
 * Context: BH off.
 */
static inline void nqd_session_carried(struct nqd_session *s, enum nqd_direction direction, u32 packets,
				       u32 bytes)
{
	nqd_stats_carried(s->stats, direction, packets, bytes);
	nqd_stats_carried(s->device->stats, direction, packets, bytes);
}

#endif /* _NQD_SESSION_H */

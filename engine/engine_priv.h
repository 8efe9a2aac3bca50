/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine's files share. One thread works at a time: the loop, or a caller of a control
 * function, whoever holds the engine's lock (see nqe_engine_lock()).
 *
 *   loop.c     waiting, timers, whose turn it is       device.c   devices, sockets, prefixes
 *   rx.c       datagrams in                            control.c  sessions: add, activate, delete
 *   tx.c       packets out                             event.c    what user space is told
 *   out.c      sealing and sending in batches          activate.c sessions: from HOLD to ACTIVE
 *   engine.c   the object itself, its lock
 */
#ifndef NQE_ENGINE_PRIV_H
#define NQE_ENGINE_PRIV_H

#include "coalesce.h"
#include "engine.h"
#include "lookup.h"
#include "queue.h"
#include "route.h"
#include "screen.h"
#include "segment.h"

#include <pthread.h>
#include <stddef.h>

#define NQE_MAX_DEVICES 64
#define NQE_MAX_SOCKETS 64
#define NQE_CONTROL_SLOTS 32
#define NQE_RING_ENTRIES 256
/* Datagrams of no session that a socket keeps for user space. */
#define NQE_OTHER_MAX 256
/* Reading from the devices stops while this much waits in all sessions together. */
#define NQE_QUEUED_MAX (256ULL << 20)
/* State events that traffic can cause at will: of each at most one in this time. */
#define NQE_NOISY_EVENTS 4
#define NQE_NOISY_INTERVAL NSEC_PER_SEC
/* Bytes that a session may send before it is another's turn. */
#define NQE_QUANTUM 65536

/**
 * struct nqe_device - a TUN device
 * @id: for the caller; 0: the slot is free
 * @tun: the device
 * @coalesce: packets on their way into it
 * @routes: destination prefixes, leading to struct nqe_session
 * @epoch: epoch of the routes
 * @sessions: sessions that use it
 * @stats: counters
 */
struct nqe_device {
	u32 id;
	struct nqe_tun tun;
	struct nqe_coalesce coalesce;
	struct nqe_route_table routes;
	u64 epoch;
	u32 sessions;
	struct nqe_device_stats stats;
};

/* An event with a payload, in a list. */
struct nqe_note {
	struct nqe_note *next;
	struct nqe_event event;
};

/* A list of them. */
struct nqe_notes {
	struct nqe_note *head;
	struct nqe_note *tail;
};

/* Datagrams of no session: a ring. */
struct nqe_other {
	struct nqe_datagram datagram[NQE_OTHER_MAX];
	u32 first;
	u32 count;
};

/**
 * struct nqe_socket - a UDP socket
 * @id: for the caller; 0: the slot is free
 * @udp: the socket
 * @cid_len: bytes of local connection IDs
 * @sessions: sessions that use it
 * @event_fd: eventfd for @other
 * @other: datagrams of no session
 * @screen: which of them get there
 * @stats: counters
 */
struct nqe_socket {
	u32 id;
	struct nqe_udp udp;
	u8 cid_len;
	u32 sessions;
	int event_fd;
	struct nqe_other other;
	struct nqe_screen screen;
	struct nqe_socket_stats stats;
};

/* A datagram kept in HOLD. */
struct nqe_hold {
	u8 *data;
	u32 len;
	u8 ecn;
	struct nqe_address remote;
};

/**
 * struct nqe_session - a session
 * @id: for the caller
 * @active: @conn is valid: no longer in HOLD
 * @dead: freed once its last event is taken
 * @ready: in the engine's list of sessions to serve
 * @eventful: in the engine's list of sessions with events
 * @told_too_big: @current's sender was sent Packet Too Big
 * @secrets: v2: next generations are derived
 * @heap_index: place in the timer heap, plus one; 0: none
 * @event_flags: state events not yet taken
 * @device: its device
 * @socket: its socket
 * @next_ready: in the list of sessions to serve
 * @current: packet being cut
 * @cursor: where
 * @deficit: bytes that may be sent in this turn
 * @paced_at: when the pacer lets the next packet out
 * @queue: packets waiting
 * @payloads: DATAGRAM payloads of user space waiting, served first
 * @rx: keys
 * @tx: keys
 * @last_source: address that was found allowed last, its length in the first byte
 * @sequence: number of the newest event to be acknowledged
 * @acknowledged: number of the newest acknowledged one
 * @config: as it was added
 * @stats: own counters; the rest is filled in when asked for
 * @conn: protocol state
 * @secret: v2: newest traffic secret, by enum nqd_keys_dir
 * @secret_generation: its generation
 * @control_slots: for @conn
 * @control_bytes: frames in @control_slots
 * @control_ids: their ids
 * @control_silent: nothing is told of them
 * @sources: prefixes that the peer may send from
 * @hold: datagrams kept in HOLD: NULL, or room for NQD_HOLD_QUEUE_LEN
 * @held: their number
 * @next_eventful: in the list of sessions with events
 * @noisy_at: when each of the frequent state events may be told again
 * @notes: payload events not yet taken
 * @next: all sessions of the engine
 *
 * What every packet needs comes first: with many sessions each of them finds it gone from the
 * caches (see nqe_session_prefetch()).
 */
struct nqe_session {
	u32 id;
	bool active;
	bool dead;
	bool ready;
	bool eventful;
	bool told_too_big;
	bool secrets;
	u32 heap_index;
	u32 event_flags;
	struct nqe_device *device;
	struct nqe_socket *socket;
	struct nqe_session *next_ready;
	struct nqe_packet *current;
	struct nqe_segment cursor;
	s64 deficit;
	u64 paced_at;
	struct nqe_queue queue;
	struct nqe_queue payloads;
	struct nqe_crypto rx;
	struct nqe_crypto tx;
	u8 last_source[17];
	u64 sequence;
	u64 acknowledged;
	struct nqe_session_config config;
	struct nqe_session_stats stats;
	struct nqd_conn conn;

	u8 secret[2][NQE_CRYPTO_MAX_SECRET];
	u64 secret_generation[2];
	struct nqd_control_slot control_slots[NQE_CONTROL_SLOTS];
	u8 *control_bytes[NQE_CONTROL_SLOTS];
	u64 control_ids[NQE_CONTROL_SLOTS];
	bool control_silent[NQE_CONTROL_SLOTS];
	struct nqe_route_table sources;
	struct nqe_hold *hold;
	u32 held;
	struct nqe_session *next_eventful;
	u64 noisy_at[NQE_NOISY_EVENTS];
	struct nqe_notes notes;
	struct nqe_session *next;
};

/* What is in reach of one packet: up to the receive bitmap, of which it needs a word. */
#define NQE_SESSION_HOT (offsetof(struct nqe_session, conn.received.bitmap))

/* Begins to load a session that is not the present one: all at once, not one miss after the other. */
static inline void nqe_session_prefetch(const struct nqe_session *s)
{
	size_t at;

	for (at = 0; at < NQE_SESSION_HOT; at += 64)
		__builtin_prefetch((const u8 *)s + at);
}

/* Datagrams that may wait together, of all sessions. */
#define NQE_OUT_DATAGRAMS 512

/**
 * struct nqe_out - datagrams being put together for one call to the kernel
 * @data: the datagrams of all parcels, back to back
 * @len: bytes
 * @parcels: parcels begun
 * @datagrams: datagrams in all of them
 * @parcel: what goes to one peer with one header; nothing follows a shorter datagram
 * @session: whose
 * @pn_len: of each datagram, for header protection
 */
struct nqe_out {
	u8 *data;
	u32 len;
	u32 parcels;
	u32 datagrams;
	struct nqe_udp_parcel parcel[NQE_UDP_MAX_PARCELS];
	struct nqe_session *session[NQE_UDP_MAX_PARCELS];
	u8 pn_len[NQE_OUT_DATAGRAMS];
};

/* An entry of the timer heap. The key lies beside it: sorting touches no other session. */
struct nqe_timer {
	u64 deadline;
	struct nqe_session *session;
};

/**
 * struct nqe_engine - the engine
 * @turnstile: taken before @lock by everyone, so that the loop cannot starve callers
 * @lock: protects everything below
 * @stop: nqe_engine_run() is to return; atomic
 * @wake_fd: eventfd that ends a wait
 * @event_fd: eventfd for user space
 * @epoll_fd: devices and sockets
 * @now: time of this round, ns
 * @next_id: for devices, sockets and sessions
 * @device: devices
 * @socket: sockets
 * @sessions: all of them
 * @lookup: sessions by connection ID or address
 * @heap: sessions by deadline
 * @heap_len: their number
 * @heap_room: memory for so many
 * @ready_head: sessions to serve
 * @ready_tail: last of them
 * @eventful_head: sessions with events
 * @eventful_tail: last of them
 * @pool: packet buffers
 * @queued: bytes that wait in all sessions
 * @reading: devices are being read; they stop at NQE_QUEUED_MAX
 * @spare: buffer for the next read
 * @batch: receive buffers
 * @out: datagrams being put together
 * @frames: scratch for frames that come before a payload
 */
struct nqe_engine {
	pthread_mutex_t turnstile;
	pthread_mutex_t lock;
	bool stop;
	int wake_fd;
	int event_fd;
	int epoll_fd;
	u64 now;
	u32 next_id;
	struct nqe_device device[NQE_MAX_DEVICES];
	struct nqe_socket socket[NQE_MAX_SOCKETS];
	struct nqe_session *sessions;
	struct nqe_lookup lookup;
	struct nqe_timer *heap;
	u32 heap_len;
	u32 heap_room;
	struct nqe_session *ready_head;
	struct nqe_session *ready_tail;
	struct nqe_session *eventful_head;
	struct nqe_session *eventful_tail;
	struct nqe_pool pool;
	u64 queued;
	bool reading;
	struct nqe_packet *spare;
	struct nqe_udp_batch batch;
	struct nqe_out out;
	u8 *frames;
};

/* Scratch for frames: a padded probe may be as large as a datagram. */
#define NQE_FRAMES_ROOM 65536

/* engine.c */
void nqe_engine_lock(struct nqe_engine *e);
void nqe_engine_unlock(struct nqe_engine *e);
u64 nqe_engine_clock(void);
struct nqe_device *nqe_engine_device(struct nqe_engine *e, u32 id);
struct nqe_socket *nqe_engine_socket(struct nqe_engine *e, u32 id);
struct nqe_session *nqe_engine_session(struct nqe_engine *e, u32 id);

/*
 * Locks the engine until the block ends, whichever way it does: nearly all that user space may ask for
 * is to find something and to act on it.
 */
#define nqe_engine_guard(e) \
	struct nqe_engine *const nqe_guarded __attribute__((cleanup(nqe_engine_release), unused)) = \
		nqe_engine_hold(e)

static inline struct nqe_engine *nqe_engine_hold(struct nqe_engine *e)
{
	nqe_engine_lock(e);
	return e;
}

static inline void nqe_engine_release(struct nqe_engine *const *e)
{
	nqe_engine_unlock(*e);
}

/* loop.c */
void nqe_loop_wake(struct nqe_engine *e);
int nqe_loop_watch(struct nqe_engine *e, int fd, void *what, bool on);
void nqe_loop_ready(struct nqe_engine *e, struct nqe_session *s);
void nqe_loop_schedule(struct nqe_engine *e, struct nqe_session *s);
void nqe_loop_forget(struct nqe_engine *e, struct nqe_session *s);

/* rx.c */
void nqe_rx_socket(struct nqe_engine *e, struct nqe_socket *socket);
void nqe_rx_datagram(struct nqe_engine *e, struct nqe_session *s, u8 *data, u32 len, u8 ecn,
		     const struct nqe_address *remote);

/* tx.c */
void nqe_tx_device(struct nqe_engine *e, struct nqe_device *device);
bool nqe_tx_service(struct nqe_engine *e, struct nqe_session *s);
u32 nqe_tx_inner_mtu(const struct nqe_session *s);
void nqe_tx_discard(struct nqe_engine *e, struct nqe_session *s);

/* out.c */
u8 *nqe_out_reserve(struct nqe_engine *e, struct nqe_session *s, u32 size, u8 tos);
bool nqe_out_seal(struct nqe_engine *e, const struct nqd_conn_plan *plan, u32 index, u8 *packet);
u8 *nqe_out_header(struct nqe_session *s, const struct nqd_conn_plan *plan, u32 index, u8 *packet);
void nqe_out_flush(struct nqe_engine *e);

/* control.c */
void nqe_control_events(struct nqe_engine *e, struct nqe_session *s);
void nqe_control_free_session(struct nqe_engine *e, struct nqe_session *s);

/* event.c */
u32 nqe_event_room(const struct nqe_session *s);
bool nqe_event_payload(struct nqe_engine *e, struct nqe_session *s, u32 type, const u8 *data,
		       u32 len);
void nqe_event_acked(struct nqe_engine *e, struct nqe_session *s, u64 id);
void nqe_event_lost(struct nqe_engine *e, struct nqe_session *s,
		    const struct nqd_control_loss *loss);
void nqe_event_state(struct nqe_engine *e, struct nqe_session *s, u32 flags);
void nqe_event_other(struct nqe_socket *socket, const struct nqe_udp_message *m, const u8 *data,
		     u32 len);
void nqe_event_forget(struct nqe_engine *e, struct nqe_session *s);
void nqe_event_clear_other(struct nqe_socket *socket);

#endif

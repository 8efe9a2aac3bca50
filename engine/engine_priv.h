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
#include "segment.h"

#include <pthread.h>

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
 * @stats: counters
 */
struct nqe_socket {
	u32 id;
	struct nqe_udp udp;
	u8 cid_len;
	u32 sessions;
	int event_fd;
	struct nqe_other other;
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
 * @config: as it was added
 * @device: its device
 * @socket: its socket
 * @active: @conn is valid: no longer in HOLD
 * @dead: freed once its last event is taken
 * @conn: protocol state
 * @rx: keys
 * @tx: keys
 * @secrets: v2: next generations are derived
 * @secret: v2: newest traffic secret, by enum nqd_keys_dir
 * @secret_generation: its generation
 * @control_slots: for @conn
 * @control_bytes: frames in @control_slots
 * @control_ids: their ids
 * @control_silent: nothing is told of them
 * @sources: prefixes that the peer may send from
 * @last_source: address that was found allowed last, its length in the first byte
 * @hold: datagrams kept in HOLD
 * @held: their number
 * @queue: packets waiting
 * @payloads: DATAGRAM payloads of user space waiting, served first
 * @current: packet being cut
 * @cursor: where
 * @told_too_big: @current's sender was sent Packet Too Big
 * @deficit: bytes that may be sent in this turn
 * @paced_at: when the pacer lets the next packet out
 * @ready: in the engine's list of sessions to serve
 * @next_ready: in that list
 * @heap_index: place in the timer heap, plus one; 0: none
 * @deadline: key in the timer heap
 * @eventful: in the engine's list of sessions with events
 * @next_eventful: in that list
 * @event_flags: state events not yet taken
 * @noisy_at: when each of the frequent state events may be told again
 * @notes: payload events not yet taken
 * @sequence: number of the newest event to be acknowledged
 * @acknowledged: number of the newest acknowledged one
 * @next: all sessions of the engine
 * @stats: own counters; the rest is filled in when asked for
 */
struct nqe_session {
	u32 id;
	struct nqe_session_config config;
	struct nqe_device *device;
	struct nqe_socket *socket;
	bool active;
	bool dead;
	struct nqd_conn conn;
	struct nqe_crypto rx;
	struct nqe_crypto tx;
	bool secrets;
	u8 secret[2][NQE_CRYPTO_MAX_SECRET];
	u64 secret_generation[2];
	struct nqd_control_slot control_slots[NQE_CONTROL_SLOTS];
	u8 *control_bytes[NQE_CONTROL_SLOTS];
	u64 control_ids[NQE_CONTROL_SLOTS];
	bool control_silent[NQE_CONTROL_SLOTS];
	struct nqe_route_table sources;
	u8 last_source[17];
	struct nqe_hold hold[NQD_HOLD_QUEUE_LEN];
	u32 held;
	struct nqe_queue queue;
	struct nqe_queue payloads;
	struct nqe_packet *current;
	struct nqe_segment cursor;
	bool told_too_big;
	s64 deficit;
	u64 paced_at;
	bool ready;
	struct nqe_session *next_ready;
	u32 heap_index;
	u64 deadline;
	bool eventful;
	struct nqe_session *next_eventful;
	u32 event_flags;
	u64 noisy_at[NQE_NOISY_EVENTS];
	struct nqe_notes notes;
	u64 sequence;
	u64 acknowledged;
	struct nqe_session *next;
	struct nqe_session_stats stats;
};

/**
 * struct nqe_out - datagrams of one session being put together for one call to the kernel
 * @data: the datagrams, back to back
 * @len: bytes
 * @segment: bytes of each but a shorter last one
 * @count: datagrams
 * @closed: a shorter one was put in: nothing may follow
 * @session: whose
 * @tos: of their IP headers: DSCP and enum nqd_ecn
 * @pn_len: of each, for header protection
 */
struct nqe_out {
	u8 *data;
	u32 len;
	u32 segment;
	u32 count;
	bool closed;
	struct nqe_session *session;
	u8 tos;
	u8 pn_len[NQE_UDP_MAX_SEGMENTS];
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
	struct nqe_session **heap;
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

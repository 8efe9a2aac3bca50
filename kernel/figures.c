// SPDX-License-Identifier: GPL-2.0
/*
 * All counters of a session or of a device.
 *
 * Nothing is ever set to zero where it is counted: FLUSH_STATS remembers what the figures were, and they
 * are told less that. A device's are the sums of its sessions, with those that have ended.
 */
#include <linux/slab.h>

#include "device.h"
#include "figures.h"
#include "session.h"

/*
 * Figures are u64 throughout, so that they can be added up one by one. Some say what is, not what was
 * since a time: these are neither added nor less than anything.
 */
#define NQD_FIGURE(member) (offsetof(struct nqd_figures, member) / sizeof(u64))
#define NQD_FIGURES (sizeof(struct nqd_figures) / sizeof(u64))

static bool nqd_figures_is_state(size_t i)
{
	return (i >= NQD_FIGURE(key.tx_sealed) && i < NQD_FIGURE(offload)) ||
	       (i >= NQD_FIGURE(recovery) && i < NQD_FIGURE(recovery.packets_lost));
}

static void nqd_figures_add(struct nqd_figures *to, const struct nqd_figures *from)
{
	const u64 *source = (const u64 *)from;
	u64 *target = (u64 *)to;
	size_t i;

	BUILD_BUG_ON(sizeof(struct nqd_figures) % sizeof(u64));
	for (i = 0; i < NQD_FIGURES; i++)
		if (!nqd_figures_is_state(i))
			target[i] += source[i];
}

static void nqd_figures_less(struct nqd_figures *from, const struct nqd_figures *what)
{
	const u64 *less = (const u64 *)what;
	u64 *target = (u64 *)from;
	size_t i;

	if (!what)
		return;
	for (i = 0; i < NQD_FIGURES; i++)
		if (!nqd_figures_is_state(i))
			target[i] -= less[i];
}

/**
 * nqd_session_recovery_stats() - loss recovery and congestion control of a session
 * @s: active session, with its lock held
 * @stats: where the figures go
 */
void nqd_session_recovery_stats(const struct nqd_session *s, struct nqd_recovery_stats *stats)
{
	const struct nqd_recovery *r = &s->conn.recovery;

	*stats = (struct nqd_recovery_stats){
		.congestion_window = r->cc.cwnd,
		.slow_start_threshold = r->cc.ssthresh,
		.bytes_in_flight = r->sent.bytes_in_flight,
		.pacing_rate = r->cc.pacing_rate,
		.packets_lost = r->sent.lost,
		.bytes_lost = r->lost_bytes,
		.spurious_losses = s->conn.stats.spurious,
		.congestion_events = r->cc.reductions,
		.persistent_congestion = r->cc.persistent,
		.pto_count = s->conn.stats.probes,
	};
}

static void nqd_figures_conn(const struct nqd_session *s, struct nqd_figures *f)
{
	const struct nqd_conn_stats *conn = &s->conn.stats;
	const struct nqd_keys *keys = &s->conn.keys;

	f->quic.rx_packets = conn->rx_packets;
	f->quic.rx_bytes = conn->rx_bytes;
	f->quic.tx_packets = conn->tx_packets;
	f->quic.tx_bytes = conn->tx_bytes;
	f->quic.tx_ack_only_packets = conn->tx_ack_only;
	f->quic.tx_probe_packets = conn->probes;
	f->quic.pacing_delays = conn->tx_paced;
	f->frame.rx_datagram = conn->rx_datagrams;
	f->frame.tx_datagram = conn->tx_datagrams;
	f->frame.rx_ack = conn->rx_acks;
	f->frame.tx_ack = conn->tx_acks;
	f->frame.rx_other = conn->rx_other;
	f->frame.tx_other = conn->tx_other;
	f->frame.lost_datagram = s->conn.recovery.lost_datagrams;
	f->key.updates_local = s->updates_local;
	f->key.updates_peer = s->updates_peer;
	f->key.update_failures = keys->updates_missed;
	f->key.tx_sealed = keys->sealed;
	f->key.tx_limit = keys->seal_limit;
	f->key.rx_failed = keys->open_failures;
	f->key.rx_limit = keys->open_failure_limit;
	nqd_session_recovery_stats(s, &f->recovery);
}

/* Since ADD_SESSION. */
static void nqd_figures_of_session(struct nqd_session *s, struct nqd_figures *f)
{
	struct nqd_totals totals;

	memset(f, 0, sizeof(*f));
	nqd_stats_sum(s->stats, &totals);
	f->l3 = (struct nqd_l3_stats){
		.rx_packets = totals.packets[NQD_RX],
		.rx_bytes = totals.bytes[NQD_RX],
		.tx_packets = totals.packets[NQD_TX],
		.tx_bytes = totals.bytes[NQD_TX],
	};
	f->offload = (struct nqd_offload_stats){
		.gso_packets = totals.counters[NQD_COUNT_GSO_PACKETS],
		.gso_segments = totals.counters[NQD_COUNT_GSO_SEGMENTS],
		.gro_packets = totals.counters[NQD_COUNT_GRO_PACKETS],
		.gro_segments = totals.counters[NQD_COUNT_GRO_SEGMENTS],
	};
	f->quic.pacing_delay_ns = totals.counters[NQD_COUNT_PACING_NS];
	f->key.seal_failures = totals.reasons[NQD_DROP_AEAD_SEAL];
	f->key.open_failures = totals.reasons[NQD_DROP_AEAD];
	f->key.header_failures = totals.reasons[NQD_DROP_HEADER_PROTECTION];
	memcpy(f->drops, totals.reasons, sizeof(f->drops));

	spin_lock_bh(&s->lock);
	if (s->running)
		nqd_figures_conn(s, f);
	spin_unlock_bh(&s->lock);
}

/**
 * nqd_figures_session() - counters of a session since FLUSH_STATS
 * @s: session
 * @figures: where they go
 *
 * Context: nqd_net.lock is held.
 */
void nqd_figures_session(struct nqd_session *s, struct nqd_figures *figures)
{
	nqd_figures_of_session(s, figures);
	nqd_figures_less(figures, s->zero);
}

/* Since CREATE_DEVICE. */
static void nqd_figures_of_device(struct nqd_device *nd, struct nqd_figures *figures)
{
	struct nqd_totals totals;
	struct nqd_figures one;
	struct nqd_session *s;

	*figures = nd->ended;
	for (s = nqd_session_from(nd, 0); s; s = s->id == U64_MAX ? NULL : nqd_session_from(nd, s->id + 1)) {
		nqd_figures_of_session(s, &one);
		nqd_figures_add(figures, &one);
	}
	/* The device counts these itself: those that no session has had are among them. */
	nqd_stats_sum(nd->stats, &totals);
	figures->l3 = (struct nqd_l3_stats){
		.rx_packets = totals.packets[NQD_RX],
		.rx_bytes = totals.bytes[NQD_RX],
		.tx_packets = totals.packets[NQD_TX],
		.tx_bytes = totals.bytes[NQD_TX],
	};
	memcpy(figures->drops, totals.reasons, sizeof(figures->drops));
}

/**
 * nqd_figures_device() - counters of a device since FLUSH_STATS
 * @nd: device
 * @figures: where they go
 *
 * Context: nqd_net.lock is held.
 */
void nqd_figures_device(struct nqd_device *nd, struct nqd_figures *figures)
{
	nqd_figures_of_device(nd, figures);
	nqd_figures_less(figures, nd->zero);
}

/**
 * nqd_figures_queue() - counters of a TX queue of a device since FLUSH_STATS
 * @nd: device
 * @queue: its index
 * @stats: where they go
 *
 * Context: nqd_net.lock is held.
 */
void nqd_figures_queue(const struct nqd_device *nd, u32 queue, struct nqd_queue_stats *stats)
{
	const struct nqd_queue_stats *zero = nd->queue_zero;

	nqd_tx_queue_sum(nd, queue, stats);
	if (!zero)
		return;
	stats->tx_packets -= zero[queue].tx_packets;
	stats->tx_bytes -= zero[queue].tx_bytes;
	stats->tx_dropped -= zero[queue].tx_dropped;
}

static int nqd_figures_zero(struct nqd_figures **zero)
{
	if (!*zero)
		*zero = kzalloc(sizeof(**zero), GFP_KERNEL);
	return *zero ? 0 : -ENOMEM;
}

/**
 * nqd_figures_flush_session() - begin to count anew
 * @s: session
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int nqd_figures_flush_session(struct nqd_session *s)
{
	int err = nqd_figures_zero(&s->zero);

	if (!err)
		nqd_figures_of_session(s, s->zero);
	return err;
}

/**
 * nqd_figures_flush_device() - begin to count anew; its sessions do not
 * @nd: device
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int nqd_figures_flush_device(struct nqd_device *nd)
{
	u32 queues = nd->dev->num_tx_queues, i;

	if (!nd->queue_zero)
		nd->queue_zero = kcalloc(queues, sizeof(*nd->queue_zero), GFP_KERNEL);
	if (!nd->queue_zero || nqd_figures_zero(&nd->zero))
		return -ENOMEM;
	nqd_figures_of_device(nd, nd->zero);
	for (i = 0; i < queues; i++)
		nqd_tx_queue_sum(nd, i, &nd->queue_zero[i]);
	return 0;
}

/**
 * nqd_figures_session_ends() - let the device keep the counters of a session that ends
 * @s: session
 *
 * Context: nqd_net.lock is held.
 */
void nqd_figures_session_ends(struct nqd_session *s)
{
	struct nqd_figures one;

	nqd_figures_of_session(s, &one);
	nqd_figures_add(&s->device->ended, &one);
}

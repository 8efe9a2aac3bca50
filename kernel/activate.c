// SPDX-License-Identifier: GPL-2.0
/*
 * Out of HOLD.
 */
#include <linux/slab.h>

#include "activate.h"
#include "secrets.h"
#include "session_config.h"

/* First size of the ring of packets in flight; it grows with the window. */
#define NQD_ACTIVATE_RING_ENTRIES NQD_SENT_RING_MIN

/* Times that HOLD's queue is emptied while datagrams go on to come. */
#define NQD_ACTIVATE_ROUNDS 4

/**
 * nqd_session_hold() - keep a datagram until the session is active
 * @s: session in HOLD, with its lock held
 * @skb: datagram (struct nqd_rx_cb); consumed
 */
void nqd_session_hold(struct nqd_session *s, struct sk_buff *skb)
{
	lockdep_assert_held(&s->lock);
	if (skb_queue_len(&s->held) < NQD_HOLD_QUEUE_LEN && !s->dead) {
		__skb_queue_tail(&s->held, skb);
		return;
	}
	nqd_session_drop(s, NQD_RX, s->dead ? NQD_DROP_STATE : NQD_DROP_HOLD_QUEUE_FULL);
	kfree_skb_reason(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/**
 * nqd_activation_alloc() - an empty activation
 * @activation: set to it; to be freed by nqd_activation_free()
 *
 * Return: 0 or -ENOMEM.
 */
int nqd_activation_alloc(struct nqd_activation **activation)
{
	struct nqd_activation *a = kzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return -ENOMEM;
	__skb_queue_head_init(&a->drained);
	*activation = a;
	return 0;
}

static int nqd_activation_refuse(const char **why, const char *reason)
{
	*why = reason;
	return -EINVAL;
}

static int nqd_activation_check_received(const struct nqd_activation *a, const char **why)
{
	u64 limit = NQD_PN_MAX;
	u32 i;

	if (a->rx.pad)
		return nqd_activation_refuse(why, "the padding of state.rx is not zero");
	if (a->rx.duplicate_floor > NQD_PN_MAX)
		return nqd_activation_refuse(why, "state.rx: the duplicate floor is no packet number");
	for (i = 0; i < a->ranges; i++) {
		const struct nqd_pn_range *range = &a->range[i];

		if (range->smallest > range->largest || range->largest > limit)
			return nqd_activation_refuse(why,
						     "state.received-range: ranges must be apart, the highest one first");
		if (range->smallest < a->rx.duplicate_floor)
			return nqd_activation_refuse(why,
						     "state.received-range: a range is below the duplicate floor");
		if (range->smallest < 2 && i + 1 < a->ranges)
			return nqd_activation_refuse(why,
						     "state.received-range: ranges must be apart, the highest one first");
		limit = range->smallest - 2;
	}
	if (a->rx.largest_received != (a->ranges ? a->range[0].largest : NQD_PN_NONE))
		return nqd_activation_refuse(why,
					     "state.rx: the largest received is not the end of the first range");
	if (a->rx.ack_eliciting_pending && !a->ranges)
		return nqd_activation_refuse(why,
					     "state.rx: acknowledgements are pending of nothing received");
	return 0;
}

static int nqd_activation_check_keys(const struct nqd_activation *a, const char **why)
{
	const struct nqd_key_state *keys = &a->keys;

	if (keys->generation >= NQD_PN_MAX)
		return nqd_activation_refuse(why, "keys.state: the generation is out of range");
	if (keys->tx_phase_start > a->tx.next_pn)
		return nqd_activation_refuse(why,
					     "keys.state: the TX key phase starts above the next packet number");
	if (keys->rx_phase_start != NQD_PN_NONE &&
	    (a->rx.largest_received == NQD_PN_NONE || keys->rx_phase_start > a->rx.largest_received))
		return nqd_activation_refuse(why,
					     "keys.state: the RX key phase starts above the largest received");
	return 0;
}

/**
 * nqd_activation_check() - is the transport state free of contradictions?
 * @a: activation; @key and what is behind is not looked at
 * @why: set to the reason of a refusal
 *
 * Return: 0 or -EINVAL.
 */
int nqd_activation_check(const struct nqd_activation *a, const char **why)
{
	int err;

	if (a->tx.next_pn > NQD_PN_MAX)
		return nqd_activation_refuse(why, "state.tx: the next packet number is out of range");
	if (a->tx.largest_acked != NQD_PN_NONE && a->tx.largest_acked >= a->tx.next_pn)
		return nqd_activation_refuse(why,
					     "state.tx: the next packet number is not above the largest acknowledged");
	if (!a->rtt.smoothed_ns || !a->rtt.latest_ns != !a->rtt.min_ns || a->rtt.min_ns > a->rtt.latest_ns)
		return nqd_activation_refuse(why, "state.rtt contradicts itself");
	if (a->ecn_sent.ce)
		return nqd_activation_refuse(why, "state.ecn-sent: CE is never sent");
	err = nqd_activation_check_received(a, why);
	return err ? err : nqd_activation_check_keys(a, why);
}

static void nqd_activate_keys_config(struct nqd_keys_config *keys, const struct nqd_session *s,
				     const struct nqd_activation *a)
{
	keys->suite = s->suite->suite;
	keys->generation = a->keys.generation;
	keys->sealed = a->keys.tx_sealed;
	keys->seal_limit = s->config.confidentiality_limit;
	keys->open_failure_limit = s->config.integrity_limit;
	keys->rx_next = true;
	keys->tx_next = true;
	keys->open_failures = a->keys.rx_failed;
	keys->rx_old = a->key[NQD_ACTIVATION_RX_PREVIOUS];
	/* What is below the start of the phase needs older keys, whether they are there or not. */
	if (keys->rx_old || a->keys.rx_phase_start != NQD_PN_NONE)
		keys->rx_first_pn = a->keys.rx_phase_start;
}

static void nqd_activate_recovery_config(struct nqd_recovery_config *recovery, const struct nqd_session *s,
					 const struct nqd_activation *a)
{
	recovery->congestion = s->config.congestion;
	recovery->lab_mode = s->config.flags & NQD_SESSION_FLAG_LAB_MODE;
	recovery->fixed_rate = s->config.lab_rate;
	recovery->ring = a->ring;
	recovery->ring_entries = NQD_ACTIVATE_RING_ENTRIES;
	recovery->next_pn = a->tx.next_pn;
	recovery->largest_acked = a->tx.largest_acked;
	recovery->max_ack_delay = s->config.peer_params.max_ack_delay_ms * NSEC_PER_MSEC;
	recovery->rtt_initial = a->rtt.smoothed_ns;
	if (a->rtt.latest_ns) {
		recovery->rtt_smoothed = a->rtt.smoothed_ns;
		recovery->rtt_var = a->rtt.variation_ns;
		recovery->rtt_min = a->rtt.min_ns;
		recovery->rtt_latest = a->rtt.latest_ns;
	}
	recovery->ecn = READ_ONCE(s->ecn_policy) == NQD_ECN_POLICY_ENABLED;
	recovery->ecn_reported = a->ecn_acked;
	recovery->ecn_marked = a->ecn_sent.ect0 + a->ecn_sent.ect1;
}

static int nqd_activate_conn(struct nqd_session *s, const struct nqd_activation *a, u64 now, const char **why)
{
	const struct nqd_session_config *config = &s->config;
	struct nqd_conn_config conn = {
		.client = config->role == NQD_ROLE_CLIENT,
		.ack_pending = a->rx.ack_eliciting_pending,
		.peer_cid_len = s->peer_cid_len,
		.ack_delay_exponent = config->local_params.ack_delay_exponent,
		.peer_ack_delay_exponent = config->peer_params.ack_delay_exponent,
		.max_ack_delay = config->local_params.max_ack_delay_ms * NSEC_PER_MSEC,
		.max_datagram_frame_size = config->local_params.max_datagram_frame_size,
		.peer_max_datagram_frame_size = config->peer_params.max_datagram_frame_size,
		.mtu = config->datagram_size,
		.mtu_ceiling = nqd_session_config_ceiling(s, config),
		/* The smaller of both ends' was taken before. */
		.idle_timeout = nqd_session_config_idle(config),
		.peer_idle_timeout = nqd_session_config_idle(config),
		.keepalive = config->keepalive_ms * NSEC_PER_MSEC,
		.received = a->range,
		.received_count = a->ranges,
		.received_floor = a->rx.duplicate_floor,
		.received_ecn = a->ecn_received,
		.control_slots = s->control_slots,
		.control_capacity = NQD_SESSION_CONTROL_SLOTS,
	};

	int err;

	nqd_activate_keys_config(&conn.keys, s, a);
	nqd_activate_recovery_config(&conn.recovery, s, a);
	err = nqd_conn_init(&s->conn, &conn, now, why);
	/* RFC 9000 section 13.2.5: the ACK Delay counts from when it really arrived. */
	if (!err && a->ranges)
		s->conn.received.largest_time = now - min(a->rx.largest_age_ns, now);
	return err;
}

static void nqd_activate_install(struct nqd_session *s, struct nqd_activation *a)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a->key); i++) {
		if (a->key[i])
			nqd_keyring_install(i < NQD_ACTIVATION_TX ? &s->rx_keys : &s->tx_keys, a->key[i]);
		a->key[i] = NULL;
	}
	s->rx_hp = a->rx_hp;
	s->tx_hp = a->tx_hp;
	s->secrets = a->secrets;
	a->secrets = NULL;
	a->ring = NULL;
}

/**
 * nqd_activate() - let a session in HOLD run
 * @s: session
 * @a: what it becomes active with; what is used of it is no longer in it
 * @generation: of the caller
 * @why: set to the reason of a refusal
 *
 * Context: nqd_net.lock is held; may sleep. nqd_activate_replay() must follow: until then datagrams are
 * still held.
 *
 * Return: 0, or a negative error and the session is in HOLD as before.
 */
int nqd_activate(struct nqd_session *s, struct nqd_activation *a, u64 generation, const char **why)
{
	u64 now = nqd_now();
	int err;

	a->ring = kvcalloc(NQD_ACTIVATE_RING_ENTRIES, sizeof(*a->ring), GFP_KERNEL);
	if (!a->ring) {
		*why = "no memory for packets in flight";
		return -ENOMEM;
	}
	/* Nobody looks at the connection, the keys and the ciphers of a session in HOLD. */
	err = nqd_activate_conn(s, a, now, why);
	if (err)
		return err;
	nqd_activate_install(s, a);
	s->config.generation = generation;
	WRITE_ONCE(s->generation, generation);

	spin_lock_bh(&s->lock);
	nqd_conn_activate(&s->conn, now);
	s->running = true;
	nqd_session_tell_up(s);
	nqd_session_events(s);
	spin_unlock_bh(&s->lock);
	return 0;
}

static void nqd_activate_process(struct nqd_session *s, struct sk_buff_head *datagrams)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(datagrams))) {
		local_bh_disable();
		rcu_read_lock();
		nqd_rx_datagram(s, skb);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	}
}

/**
 * nqd_activate_replay() - process what came before the keys did, then whatever comes
 * @s: session that nqd_activate() has let run
 * @drained: datagrams that user space took from the socket: they are the oldest
 *
 * Context: may sleep, nqd_net.lock is held.
 */
void nqd_activate_replay(struct nqd_session *s, struct sk_buff_head *drained)
{
	struct sk_buff_head held;
	unsigned int round;
	bool last = false;

	nqd_activate_process(s, drained);
	__skb_queue_head_init(&held);
	for (round = 1; !last; round++) {
		spin_lock_bh(&s->lock);
		skb_queue_splice_tail_init(&s->held, &held);
		last = skb_queue_empty(&held) || round == NQD_ACTIVATE_ROUNDS;
		if (last)
			/* Pairs with nqd_session_is_active(). */
			smp_store_release(&s->active, true);
		nqd_timer_update(s);
		spin_unlock_bh(&s->lock);
		nqd_activate_process(s, &held);
	}
	nqd_tx_kick(s);
}

/**
 * nqd_activation_free() - wipe what an activation still holds
 * @a: activation
 */
void nqd_activation_free(struct nqd_activation *a)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a->key); i++)
		nqd_key_free(a->key[i]);
	nqd_secrets_free(a->secrets);
	kvfree(a->ring);
	__skb_queue_purge(&a->drained);
	kfree_sensitive(a);
}

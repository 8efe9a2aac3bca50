// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * A connection: installing it, and what its owner may ask of it.
 */
#include "conn_priv.h"

#include "math.h"

/* Ranges that an install may carry. */
#define NQD_CONN_RECEIVED_MAX 32
/* RFC 9221 section 3: transport parameters are variable-length integers. */
#define NQD_CONN_PARAMETER_MAX ((1ULL << 62) - 1)
/* A session that outlives this without a packet is a mistake of units. */
#define NQD_CONN_TIMEOUT_MAX (24ULL * 3600 * NSEC_PER_SEC)
/* RFC 9000 section 18.2: the largest UDP payload. */
#define NQD_CONN_UDP_MAX 65527

static int nqd_conn_refuse(const char **why, const char *reason)
{
	if (why)
		*why = reason;
	return -EINVAL;
}

static int nqd_conn_check(const struct nqd_conn_config *config, const char **why)
{
	if (config->peer_cid_len > NQD_CID_MAX_LEN)
		return nqd_conn_refuse(why, "peer connection ID longer than 20 bytes");
	if (config->ack_delay_exponent > NQD_FRAME_ACK_DELAY_EXPONENT_MAX ||
	    config->peer_ack_delay_exponent > NQD_FRAME_ACK_DELAY_EXPONENT_MAX)
		return nqd_conn_refuse(why, "ack_delay_exponent above 20");
	if (config->max_ack_delay >= NQD_MAX_ACK_DELAY_LIMIT ||
	    config->recovery.max_ack_delay >= NQD_MAX_ACK_DELAY_LIMIT)
		return nqd_conn_refuse(why, "max_ack_delay of 2^14 ms or more");
	if (config->max_datagram_frame_size > NQD_CONN_PARAMETER_MAX ||
	    config->peer_max_datagram_frame_size > NQD_CONN_PARAMETER_MAX)
		return nqd_conn_refuse(why, "max_datagram_frame_size above 2^62-1");
	if (config->idle_timeout > NQD_CONN_TIMEOUT_MAX ||
	    config->peer_idle_timeout > NQD_CONN_TIMEOUT_MAX ||
	    config->keepalive > NQD_CONN_TIMEOUT_MAX)
		return nqd_conn_refuse(why, "idle timeout or keepalive above a day");
	if (config->mtu < NQD_MIN_DATAGRAM_SIZE || config->mtu_ceiling < config->mtu ||
	    config->mtu_ceiling > NQD_CONN_UDP_MAX)
		return nqd_conn_refuse(why, "UDP payload size not within 1200, its ceiling and 65527");
	if (config->received_count > NQD_CONN_RECEIVED_MAX)
		return nqd_conn_refuse(why, "more than 32 received ranges");
	if (config->received_count && !config->received)
		return nqd_conn_refuse(why, "received ranges missing");
	if (config->received_floor > NQD_PN_MAX)
		return nqd_conn_refuse(why, "received floor above 2^62-1");
	if (config->control_capacity && !config->control_slots)
		return nqd_conn_refuse(why, "memory for control frames missing");
	if (config->ack_pending && !config->received_count)
		return nqd_conn_refuse(why, "acknowledgement pending of nothing received");
	return 0;
}

/* RFC 9000 section 10.1: the smaller of both, 0 being none. */
static u64 nqd_conn_idle_timeout(const struct nqd_conn_config *config)
{
	if (!config->idle_timeout || !config->peer_idle_timeout)
		return max(config->idle_timeout, config->peer_idle_timeout);
	return min(config->idle_timeout, config->peer_idle_timeout);
}

/**
 * nqd_conn_init() - make a connection, in state HOLD
 * @c: memory of the caller; nothing in it needs to be freed later
 * @config: the install contract
 * @now: time
 * @why: where a refusal is explained, may be NULL
 *
 * Return: 0; -EINVAL, or -EPERM for fixed_rate_test without lab mode: then @c must not be used.
 */
int nqd_conn_init(struct nqd_conn *c, const struct nqd_conn_config *config, u64 now, const char **why)
{
	struct nqd_recovery_config recovery = config->recovery;
	struct nqd_keys_config keys = config->keys;
	int ret;

	ret = nqd_conn_check(config, why);
	if (ret)
		return ret;

	memset(c, 0, sizeof(*c));
	c->client = config->client;
	c->spin_enabled = config->spin;
	c->peer_ack_delay_exponent = config->peer_ack_delay_exponent;
	c->max_datagram_frame_size = config->max_datagram_frame_size;
	c->peer_max_datagram_frame_size = config->peer_max_datagram_frame_size;
	/* RFC 9000 section 17.3.1: the first byte and the connection ID. */
	c->overhead = 1 + config->peer_cid_len + NQD_CONN_TAG_LEN;
	c->tx_at = NQD_TIME_NEVER;
	c->keys_out_at = NQD_TIME_NEVER;

	keys.next_pn = recovery.next_pn;
	ret = nqd_keys_init(&c->keys, &keys);
	if (ret)
		return nqd_conn_refuse(why, "cipher suite, key generation or packet number");

	recovery.max_datagram_size = config->mtu;
	ret = nqd_recovery_init(&c->recovery, &recovery, now);
	if (ret) {
		nqd_conn_refuse(why, ret == -EPERM ? "fixed_rate_test needs lab mode" :
						     "congestion control, RTT, packet number or ring");
		return ret;
	}

	/* RFC 9001 section 6.5: keys of before the handover stay as long as any old keys. */
	if (keys.rx_old)
		c->keys.forget_at = now + 3 * nqd_rtt_pto(&c->recovery.rtt);

	nqd_received_init(&c->received, config->received_floor);
	ret = nqd_received_import(&c->received, config->received, config->received_count,
				  config->received_floor, now, &config->received_ecn);
	if (ret)
		return nqd_conn_refuse(why, "received ranges not descending and disjoint");
	ret = nqd_ack_init(&c->ack, config->max_ack_delay, config->ack_delay_exponent, now);
	if (ret)
		return nqd_conn_refuse(why, "acknowledgement parameters");
	nqd_ack_import(&c->ack, &c->received, config->ack_pending, now);

	nqd_state_init(&c->state, nqd_conn_idle_timeout(config), config->keepalive, now);
	nqd_path_init(&c->path);
	ret = nqd_pmtu_init(&c->pmtu, config->mtu, config->mtu_ceiling);
	if (ret)
		return nqd_conn_refuse(why, "UDP payload size");
	nqd_control_init(&c->control, config->control_slots, config->control_capacity);
	nqd_conn_mtu_changed(c);
	nqd_conn_want_pmtu(c);
	c->events = 0;
	if (!keys.rx_next || !keys.tx_next)
		c->events |= NQD_CONN_EVENT_KEYS_WANTED;
	return 0;
}

/**
 * nqd_conn_activate() - begin to send and receive
 * @c: connection in state HOLD
 * @now: time
 *
 * Return: 0, or -EALREADY.
 */
int nqd_conn_activate(struct nqd_conn *c, u64 now)
{
	return nqd_state_activate(&c->state, now);
}

/**
 * nqd_conn_close() - close for a reason of this end
 * @c: connection
 * @now: time
 * @code: error code; NQD_QUIC_NO_ERROR for an orderly end
 * @application: @code is the application's
 *
 * Return: 0 with a CONNECTION_CLOSE to be sent, -EALREADY if there is none to send.
 */
int nqd_conn_close(struct nqd_conn *c, u64 now, u64 code, bool application)
{
	if (code > NQD_CONN_PARAMETER_MAX)
		return -EINVAL;
	if (!nqd_state_close(&c->state, code, 0, application, now, nqd_rtt_pto(&c->recovery.rtt)))
		return -EALREADY;
	c->wanted = NQD_CONN_WANT_CLOSE;
	return 0;
}

/**
 * nqd_conn_error() - close because the peer broke a rule (RFC 9000 section 11.1)
 * @c: connection
 * @now: time
 * @code: enum nqd_quic_error
 * @frame_type: type of the frame that broke it, 0 if none did
 */
void nqd_conn_error(struct nqd_conn *c, u64 now, u64 code, u64 frame_type)
{
	c->stats.errors++;
	if (!nqd_state_close(&c->state, code, frame_type, false, now, nqd_rtt_pto(&c->recovery.rtt)))
		return;
	c->wanted = NQD_CONN_WANT_CLOSE;
	c->events |= NQD_CONN_EVENT_ERROR;
}

/**
 * nqd_conn_keys_changed() - turn what the key state says into events
 * @c: connection
 * @now: time
 * @flags: NQD_KEYS_*
 */
void nqd_conn_keys_changed(struct nqd_conn *c, u64 now, unsigned int flags)
{
	if (flags & NQD_KEYS_RX_PROMOTED)
		c->events |= NQD_CONN_EVENT_KEYS_RX;
	if (flags & NQD_KEYS_TX_PROMOTED) {
		c->events |= NQD_CONN_EVENT_KEYS_TX;
		c->update_wanted = false;
		c->keys_out_at = NQD_TIME_NEVER;
	}
	if (flags & NQD_KEYS_NEXT_WANTED)
		c->events |= NQD_CONN_EVENT_KEYS_WANTED;
	if (flags & NQD_KEYS_FORGET)
		c->events |= NQD_CONN_EVENT_KEYS_FORGET;
	if (flags & NQD_KEYS_UPDATE_DONE)
		c->events |= NQD_CONN_EVENT_KEYS_UPDATE_DONE;
	if (flags & NQD_KEYS_UPDATE_NEEDED && nqd_conn_update_keys(c, now))
		c->events |= NQD_CONN_EVENT_KEYS_UPDATE_NEEDED;
}

/**
 * nqd_conn_update_keys() - start a key update, now or as soon as it is allowed (RFC 9001 section 6.1)
 * @c: connection
 * @now: time
 *
 * Return: 0 if it started, -EINPROGRESS if it will, -ENOTCONN if the connection is not ACTIVE.
 */
int nqd_conn_update_keys(struct nqd_conn *c, u64 now)
{
	unsigned int flags = 0;

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return -ENOTCONN;
	if (nqd_keys_update(&c->keys, nqd_sent_next_pn(&c->recovery.sent), now, &flags)) {
		c->update_wanted = true;
		return -EINPROGRESS;
	}
	nqd_conn_keys_changed(c, now, flags);
	return 0;
}

/**
 * nqd_conn_retry_update() - start a key update that had to wait
 * @c: connection
 * @now: time
 */
void nqd_conn_retry_update(struct nqd_conn *c, u64 now)
{
	if (unlikely(c->update_wanted))
		nqd_conn_update_keys(c, now);
}

/**
 * nqd_conn_next_keys_installed() - the home put next keys into their slot
 * @c: connection
 * @now: time
 * @dir: direction
 * @generation: generation of the keys
 *
 * Return: 0, or the error of nqd_keys_next_installed().
 */
int nqd_conn_next_keys_installed(struct nqd_conn *c, u64 now, enum nqd_keys_dir dir, u64 generation)
{
	int ret = nqd_keys_next_installed(&c->keys, dir, generation);

	if (!ret)
		nqd_conn_retry_update(c, now);
	return ret;
}

/**
 * nqd_conn_queue_control() - send frames, and again until they are acknowledged
 * @c: connection
 * @id: the caller's name for them
 * @bytes: whole frames, unchanged until nqd_control_pop() returns @id
 * @len: bytes
 *
 * Return: 0, -ENOTCONN unless ACTIVE, or the error of nqd_control_queue().
 */
int nqd_conn_queue_control(struct nqd_conn *c, u64 id, const u8 *bytes, u32 len)
{
	int ret;

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return -ENOTCONN;
	ret = nqd_control_queue(&c->control, id, bytes, len, c->client);
	if (!ret)
		c->wanted |= NQD_CONN_WANT_CONTROL;
	return ret;
}

/**
 * nqd_conn_queue_control_once() - send frames, and not again after a loss
 * @c: connection
 * @id: the caller's name for them
 * @bytes: whole frames, unchanged until nqd_control_pop() or a final nqd_control_pop_lost() returns @id
 * @len: bytes
 *
 * Return: as nqd_conn_queue_control().
 */
int nqd_conn_queue_control_once(struct nqd_conn *c, u64 id, const u8 *bytes, u32 len)
{
	int ret;

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return -ENOTCONN;
	ret = nqd_control_queue_once(&c->control, id, bytes, len, c->client);
	if (!ret)
		c->wanted |= NQD_CONN_WANT_CONTROL;
	return ret;
}

/**
 * nqd_conn_set_timers() - change idle timeout and keepalive of an installed connection
 * @c: connection
 * @idle_timeout: effective idle timeout, ns; 0: none
 * @keepalive: silence before a PING, ns; 0: none
 *
 * Both count from when they would have counted.
 *
 * Return: 0, or -EINVAL above a day.
 */
int nqd_conn_set_timers(struct nqd_conn *c, u64 idle_timeout, u64 keepalive)
{
	if (idle_timeout > NQD_CONN_TIMEOUT_MAX || keepalive > NQD_CONN_TIMEOUT_MAX)
		return -EINVAL;
	c->state.idle_timeout = idle_timeout;
	c->state.keepalive = keepalive;
	return 0;
}

/**
 * nqd_conn_set_mtu() - the owner knows a size that passes the path
 * @c: connection
 * @now: time
 * @mtu: UDP payload size, 1200 to @ceiling
 * @ceiling: largest UDP payload to probe for; @mtu for no search
 *
 * Return: 0, or -EINVAL.
 */
int nqd_conn_set_mtu(struct nqd_conn *c, u64 now, u32 mtu, u32 ceiling)
{
	if (mtu < NQD_MIN_DATAGRAM_SIZE || ceiling < mtu || ceiling > NQD_CONN_UDP_MAX)
		return -EINVAL;
	if (nqd_pmtu_set(&c->pmtu, mtu, ceiling, now))
		nqd_conn_mtu_changed(c);
	nqd_conn_want_pmtu(c);
	return 0;
}

/**
 * nqd_conn_set_ecn() - mark packets from now on, or no longer
 * @c: connection
 * @wanted: mark them, once more after validation of the path (RFC 9000 section 13.4.2.2)
 */
void nqd_conn_set_ecn(struct nqd_conn *c, bool wanted)
{
	nqd_ecn_validate_restart(&c->recovery.ecn, wanted);
}

/**
 * nqd_conn_validate_path() - challenge a path
 * @c: connection
 * @now: time
 * @target: the candidate, or the active path again
 * @data: unpredictable bytes, other ones for each challenge
 *
 * Return: 0, -ENOTCONN unless ACTIVE, -EBUSY while another validation runs.
 */
int nqd_conn_validate_path(struct nqd_conn *c, u64 now, enum nqd_path_index target,
			   const u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN])
{
	int ret;

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return -ENOTCONN;
	ret = nqd_path_validate(&c->path, target, data, now, nqd_rtt_pto(&c->recovery.rtt));
	if (!ret)
		c->wanted |= NQD_CONN_WANT_CHALLENGE;
	return ret;
}

/**
 * nqd_conn_mtu_changed() - derive what depends on the MTU
 * @c: connection
 *
 * RFC 9221 section 3: max_datagram_frame_size counts type and length; ours have no length. The packet
 * number may take four bytes.
 */
void nqd_conn_mtu_changed(struct nqd_conn *c)
{
	u64 room = c->pmtu.current_size - c->overhead - 4 - 1;

	if (!c->peer_max_datagram_frame_size)
		c->max_payload = 0;
	else
		c->max_payload = (u32)min(room, c->peer_max_datagram_frame_size - 1);
	nqd_recovery_set_mtu(&c->recovery, c->pmtu.current_size);
	c->events |= NQD_CONN_EVENT_MTU;
}

/**
 * nqd_conn_want_pmtu() - let tx_pending know whether a probe of the MTU is wanted
 * @c: connection
 */
void nqd_conn_want_pmtu(struct nqd_conn *c)
{
	if (nqd_pmtu_probe_wanted(&c->pmtu))
		c->wanted |= NQD_CONN_WANT_PMTU;
	else
		c->wanted &= ~(u32)NQD_CONN_WANT_PMTU;
}

/**
 * nqd_conn_mtu_reported() - an ICMP message about a packet of this connection named a smaller MTU
 * @c: connection
 * @now: time
 * @mtu: UDP payload size that it leaves; the home has checked the quoted packet
 */
void nqd_conn_mtu_reported(struct nqd_conn *c, u64 now, u32 mtu)
{
	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return;
	if (nqd_pmtu_too_big(&c->pmtu, mtu, now))
		nqd_conn_mtu_changed(c);
	nqd_conn_want_pmtu(c);
}

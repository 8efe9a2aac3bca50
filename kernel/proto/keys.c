// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * Key phases: selection of RX keys, key updates of either side, limits of use (RFC 9001 section 6).
 */
#include "keys.h"

/* RFC 9001 appendix B.1: AES-GCM seals 2^28 packets of up to 2^11 bytes with one key. */
#define NQD_KEYS_GCM_SEAL_LIMIT (1ULL << 28)
/* RFC 9001 section 6.6: the limit of ChaCha20-Poly1305 is above the number of packet numbers. */
#define NQD_KEYS_CHACHA_SEAL_LIMIT NQD_PN_MAX
/* RFC 9001 section 6.6: forged packets before a connection must end. */
#define NQD_KEYS_GCM_FAILURE_LIMIT (1ULL << 52)
#define NQD_KEYS_CHACHA_FAILURE_LIMIT (1ULL << 36)

static u64 nqd_keys_lowered(u64 limit, u64 wish)
{
	return wish && wish < limit ? wish : limit;
}

/**
 * nqd_keys_set_limits() - how much a key may be used
 * @k: key state
 * @suite: cipher suite
 * @seal_limit: packets that one TX key may seal, 0 for the suite's limit; may only lower it
 * @open_failure_limit: forged packets before the connection ends, 0 for the suite's; may only lower it
 *
 * Return: 0, or -EINVAL for an unknown suite and nothing has changed.
 */
int nqd_keys_set_limits(struct nqd_keys *k, enum nqd_cipher_suite suite, u64 seal_limit,
			u64 open_failure_limit)
{
	u64 most, failures;

	switch (suite) {
	case NQD_CIPHER_SUITE_AES_128_GCM_SHA256:
	case NQD_CIPHER_SUITE_AES_256_GCM_SHA384:
		most = NQD_KEYS_GCM_SEAL_LIMIT;
		failures = NQD_KEYS_GCM_FAILURE_LIMIT;
		break;
	case NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256:
		most = NQD_KEYS_CHACHA_SEAL_LIMIT;
		failures = NQD_KEYS_CHACHA_FAILURE_LIMIT;
		break;
	default:
		return -EINVAL;
	}
	k->seal_limit = nqd_keys_lowered(most, seal_limit);
	k->seal_half = k->seal_limit >> 1;
	k->open_failure_limit = nqd_keys_lowered(failures, open_failure_limit);
	return 0;
}

/**
 * nqd_keys_init() - start with one generation in both directions
 * @k: key state
 * @config: where to start
 *
 * With @config->rx_old the caller sets k->forget_at.
 *
 * Return: 0, or -EINVAL for an unknown suite or a generation or packet number out of range.
 */
int nqd_keys_init(struct nqd_keys *k, const struct nqd_keys_config *config)
{
	if (config->generation > NQD_PN_MAX || config->next_pn > NQD_PN_MAX)
		return -EINVAL;
	if (config->rx_first_pn > NQD_PN_MAX && config->rx_first_pn != NQD_PN_NONE)
		return -EINVAL;
	if (config->rx_old && !config->generation)
		return -EINVAL;

	memset(k, 0, sizeof(*k));
	if (nqd_keys_set_limits(k, config->suite, config->seal_limit, config->open_failure_limit))
		return -EINVAL;
	k->rx_generation = config->generation;
	k->rx_first_pn = config->rx_first_pn;
	k->rx_old = config->rx_old;
	k->rx_largest_pn = NQD_PN_NONE;
	k->rx_old_largest_pn = NQD_PN_NONE;
	k->tx_generation = config->generation;
	k->tx_first_pn = config->next_pn;
	k->sealed = config->sealed;
	k->open_failures = config->open_failures;
	k->forget_at = NQD_TIME_NEVER;
	k->rx_next = config->rx_next;
	k->tx_next = config->tx_next;
	/* Whatever the peer sent in this phase, the handshake's home acknowledged or exported. */
	k->rx_confirmed = true;
	return 0;
}

/* Can this end follow the peer into the next phase, and answer in it (RFC 9001 section 6.2)? */
static bool nqd_keys_can_follow(const struct nqd_keys *k)
{
	return k->rx_next && (k->tx_generation > k->rx_generation || k->tx_next);
}

/* What nqd_keys_rx_select() does with a packet of the other phase. */
enum nqd_drop_reason nqd_keys_rx_select_other(struct nqd_keys *k, u64 pn, u64 *generation)
{
	/*
	 * RFC 9001 section 6.5: a packet number below all of the current phase means the previous keys,
	 * anything else the next ones.
	 */
	if (pn < k->rx_first_pn) {
		if (!k->rx_old)
			return NQD_DROP_KEY_DISCARDED;
		*generation = k->rx_generation - 1;
		return NQD_DROP_NONE;
	}
	if (!nqd_keys_can_follow(k)) {
		k->updates_missed++;
		return NQD_DROP_KEY_DISCARDED;
	}
	*generation = k->rx_generation + 1;
	return NQD_DROP_NONE;
}

/* What nqd_keys_rx_check() does with a generation that is not the current one. */
int nqd_keys_rx_check_other(const struct nqd_keys *k, u64 generation, u64 pn)
{
	if (generation == k->rx_generation + 1) {
		if (!nqd_keys_can_follow(k))
			return -ESTALE;
		/* RFC 9001 section 6.4, as above. */
		if (k->rx_largest_pn != NQD_PN_NONE && pn < k->rx_largest_pn)
			return -EPROTO;
		/*
		 * RFC 9001 section 6.2: a second update before we acknowledged a packet of the first one.
		 * The answer to an update of our own is none.
		 */
		if (!k->rx_confirmed && k->tx_generation == k->rx_generation)
			return -EPROTO;
		return 0;
	}
	if (generation + 1 == k->rx_generation) {
		if (!k->rx_old)
			return -ESTALE;
		/* RFC 9001 section 6.4, seen when the newer packet was processed first. */
		if (pn > k->rx_first_pn)
			return -EPROTO;
		return 0;
	}
	return -ESTALE;
}

static unsigned int nqd_keys_tx_promote(struct nqd_keys *k, u64 next_pn)
{
	k->tx_generation++;
	k->tx_first_pn = next_pn;
	k->sealed = 0;
	k->tx_next = false;
	k->tx_acked = false;
	k->update_asked = false;
	return NQD_KEYS_TX_PROMOTED | NQD_KEYS_NEXT_WANTED;
}

/**
 * nqd_keys_rx_opened() - account for an authentic packet that nqd_keys_rx_check() let pass
 * @k: key state
 * @generation: keys that opened the packet
 * @pn: its packet number
 * @next_tx_pn: packet number that the next sent packet will have
 * @now: time
 * @pto: current probe timeout without backoff, ns
 *
 * Return: NQD_KEYS_* bitmap.
 */
unsigned int nqd_keys_rx_opened(struct nqd_keys *k, u64 generation, u64 pn, u64 next_tx_pn, u64 now,
				u64 pto)
{
	unsigned int flags = NQD_KEYS_RX_PROMOTED | NQD_KEYS_NEXT_WANTED;

	if (generation == k->rx_generation) {
		if (pn < k->rx_first_pn)
			k->rx_first_pn = pn;
		if (k->rx_largest_pn == NQD_PN_NONE || pn > k->rx_largest_pn)
			k->rx_largest_pn = pn;
		return 0;
	}
	if (generation != k->rx_generation + 1) {
		if (k->rx_old_largest_pn == NQD_PN_NONE || pn > k->rx_old_largest_pn)
			k->rx_old_largest_pn = pn;
		return 0;
	}

	/* The slots hold one old generation: an even older one goes now, before its time. */
	if (k->rx_old)
		flags |= NQD_KEYS_FORGET;
	k->rx_old_largest_pn = k->rx_largest_pn;
	k->rx_generation = generation;
	k->rx_first_pn = pn;
	k->rx_largest_pn = pn;
	k->rx_old = true;
	k->rx_next = false;
	k->rx_confirmed = false;
	k->updates++;
	/* RFC 9001 section 6.5: old keys stay for at most three PTO after the first packet of the new. */
	k->forget_at = now + 3 * pto;

	if (k->tx_generation < generation)
		/* RFC 9001 section 6.2: the answer to a key update is a key update. */
		flags |= nqd_keys_tx_promote(k, next_tx_pn);
	else
		flags |= NQD_KEYS_UPDATE_DONE;
	return flags;
}

/**
 * nqd_keys_rx_failed() - count a packet that did not authenticate
 * @k: key state
 *
 * Return: 0, or -EKEYEXPIRED at the integrity limit: the connection must end with AEAD_LIMIT_REACHED
 * (RFC 9001 section 6.6).
 */
int nqd_keys_rx_failed(struct nqd_keys *k)
{
	k->open_failures++;
	return k->open_failures >= k->open_failure_limit ? -EKEYEXPIRED : 0;
}

/**
 * nqd_keys_update() - start a key update of our own
 * @k: key state
 * @next_pn: packet number that the next sent packet will have
 * @now: time
 * @flags: NQD_KEYS_* of what changed are added
 *
 * Return: 0; -ENOKEY if a next key is missing; -EAGAIN while the previous update is unanswered,
 * unacknowledged or too recent (RFC 9001 sections 6.1 and 6.5).
 */
int nqd_keys_update(struct nqd_keys *k, u64 next_pn, u64 now, unsigned int *flags)
{
	if (k->tx_generation != k->rx_generation || !k->tx_acked || now < k->update_at)
		return -EAGAIN;
	if (!k->tx_next || !k->rx_next)
		return -ENOKEY;
	*flags |= nqd_keys_tx_promote(k, next_pn);
	return 0;
}

/**
 * nqd_keys_on_ack() - the peer acknowledged packets
 * @k: key state
 * @carrier_generation: keys of the packet that carried the acknowledgement
 * @largest_acked: largest packet number newly acknowledged
 * @now: time
 * @pto: current probe timeout without backoff, ns
 *
 * Return: 0, or -EPROTO for KEY_UPDATE_ERROR.
 */
int nqd_keys_on_ack(struct nqd_keys *k, u64 carrier_generation, u64 largest_acked, u64 now, u64 pto)
{
	if (likely(k->tx_acked) || largest_acked < k->tx_first_pn)
		return 0;
	/*
	 * RFC 9001 section 6.2: who acknowledges a packet of the new phase in a packet of the old one has
	 * not updated its own keys.
	 */
	if (carrier_generation < k->tx_generation)
		return -EPROTO;
	k->tx_acked = true;
	/* RFC 9001 section 6.5: three PTO before the next update, so that two sets of keys are enough. */
	k->update_at = k->updates ? now + 3 * pto : now;
	return 0;
}

/**
 * nqd_keys_next_installed() - the home put next keys into their slot
 * @k: key state
 * @dir: direction
 * @generation: generation of the new keys
 *
 * Return: 0; -ESTALE if that generation is current or past; -EEXIST if it is there; -EINVAL if one
 * before it is missing.
 */
int nqd_keys_next_installed(struct nqd_keys *k, enum nqd_keys_dir dir, u64 generation)
{
	u64 current_generation = dir == NQD_KEYS_TX ? k->tx_generation : k->rx_generation;
	bool *next = dir == NQD_KEYS_TX ? &k->tx_next : &k->rx_next;

	if (generation <= current_generation)
		return -ESTALE;
	if (generation != current_generation + 1)
		return -EINVAL;
	if (*next)
		return -EEXIST;
	*next = true;
	return 0;
}

/**
 * nqd_keys_on_timer() - give up old keys whose time has come
 * @k: key state
 * @now: time
 *
 * Return: NQD_KEYS_FORGET or 0.
 */
unsigned int nqd_keys_on_timer(struct nqd_keys *k, u64 now)
{
	if (now < k->forget_at)
		return 0;
	k->forget_at = NQD_TIME_NEVER;
	k->rx_old = false;
	return NQD_KEYS_FORGET;
}

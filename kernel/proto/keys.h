/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Key phases (RFC 9001 section 6): which generation of 1-RTT keys opens and seals a packet.
 *
 * No key is here. A generation is the number of key updates since the handshake; its lowest bit is the
 * Key Phase bit. The home keeps the cipher handles of a direction in slot "generation & NQD_KEYS_SLOT_MASK"
 * and may forget all below nqd_keys_oldest().
 */
#ifndef _NQD_PROTO_KEYS_H
#define _NQD_PROTO_KEYS_H

#include "base.h"
#include "uapi/nexus_quic_dco.h"

#define NQD_KEYS_SLOTS 4
#define NQD_KEYS_SLOT_MASK (NQD_KEYS_SLOTS - 1)

/**
 * enum nqd_keys_dir - direction of a key
 * @NQD_KEYS_RX: opens what the peer sends
 * @NQD_KEYS_TX: seals what this end sends
 */
enum nqd_keys_dir {
	NQD_KEYS_RX,
	NQD_KEYS_TX,
};

/* What changed, returned as a bitmap by the functions below. */
#define NQD_KEYS_RX_PROMOTED 0x01 /* the next RX generation became the current one */
#define NQD_KEYS_TX_PROMOTED 0x02 /* the next TX generation became the current one */
#define NQD_KEYS_NEXT_WANTED 0x04 /* a next generation is missing: derive it (v2) or ask for it (v1) */
#define NQD_KEYS_FORGET 0x08 /* wipe the slots below nqd_keys_oldest() */
#define NQD_KEYS_UPDATE_NEEDED 0x10 /* half of the packets that this TX key may seal are sealed */
#define NQD_KEYS_UPDATE_DONE 0x20 /* the peer answered our own key update */

/**
 * struct nqd_keys_config - what the state machine starts from
 * @suite: negotiated cipher suite; it sets the limits of use
 * @generation: generation of the current keys of both directions; its parity is the key phase
 * @next_pn: packet number of the first packet that will be sealed here
 * @seal_limit: packets that one TX key may seal, 0 for the suite's limit; may only lower it
 * @open_failure_limit: forged packets before the connection ends, 0 for the suite's; may only lower it
 * @sealed: packets that the current TX key has sealed already
 * @open_failures: packets that failed authentication so far
 * @rx_first_pn: lowest packet number received with @generation, NQD_PN_NONE for none yet; 0 if not known
 * @rx_old: the RX keys of the generation before are in their slot, until nqd_keys.forget_at
 * @rx_next: the next RX keys are in their slot
 * @tx_next: the next TX keys are in their slot
 */
struct nqd_keys_config {
	enum nqd_cipher_suite suite;
	u64 generation;
	u64 next_pn;
	u64 seal_limit;
	u64 open_failure_limit;
	u64 sealed;
	u64 open_failures;
	u64 rx_first_pn;
	bool rx_old;
	bool rx_next;
	bool tx_next;
};

/**
 * struct nqd_keys - state of both directions
 * @rx_generation: newest generation that opened a packet
 * @rx_first_pn: lowest packet number opened with @rx_generation; 0 when installed with it
 * @rx_largest_pn: largest packet number opened with @rx_generation, NQD_PN_NONE before the first
 * @rx_old_largest_pn: the same of the generation before, NQD_PN_NONE if there is none
 * @tx_generation: generation that seals; @rx_generation, or one more while our update is unanswered
 * @tx_first_pn: first packet number sealed with @tx_generation
 * @sealed: packets sealed with @tx_generation
 * @seal_half: @sealed from which an update is wanted
 * @seal_limit: @sealed at which sending stops
 * @open_failures: packets that failed authentication, under any key (RFC 9001 section 6.6)
 * @open_failure_limit: @open_failures that end the connection
 * @update_at: earliest time of our next update, valid with @tx_acked
 * @forget_at: when the previous RX keys go, or NQD_TIME_NEVER
 * @updates: completed key updates, whoever started them
 * @updates_missed: packets of a next phase whose keys were not there
 * @rx_old: the generation before @rx_generation is still in its slot
 * @rx_next: the generation after @rx_generation is in its slot
 * @tx_next: the generation after @tx_generation is in its slot
 * @tx_acked: a packet sealed with @tx_generation was acknowledged
 * @rx_confirmed: this end acknowledged a packet of @rx_generation
 * @update_asked: UPDATE_NEEDED was reported for @tx_generation
 */
struct nqd_keys {
	u64 rx_generation;
	u64 rx_first_pn;
	u64 rx_largest_pn;
	u64 rx_old_largest_pn;
	u64 tx_generation;
	u64 tx_first_pn;
	u64 sealed;
	u64 seal_half;
	u64 seal_limit;
	u64 open_failures;
	u64 open_failure_limit;
	u64 update_at;
	u64 forget_at;
	u64 updates;
	u64 updates_missed;
	bool rx_old;
	bool rx_next;
	bool tx_next;
	bool tx_acked;
	bool rx_confirmed;
	bool update_asked;
};

int nqd_keys_init(struct nqd_keys *k, const struct nqd_keys_config *config);
int nqd_keys_set_limits(struct nqd_keys *k, enum nqd_cipher_suite suite, u64 seal_limit,
			u64 open_failure_limit);

enum nqd_drop_reason nqd_keys_rx_select_other(struct nqd_keys *k, u64 pn, u64 *generation);
int nqd_keys_rx_check_other(const struct nqd_keys *k, u64 generation, u64 pn);
unsigned int nqd_keys_rx_opened(struct nqd_keys *k, u64 generation, u64 pn, u64 next_tx_pn, u64 now,
				u64 pto);
int nqd_keys_rx_failed(struct nqd_keys *k);

int nqd_keys_update(struct nqd_keys *k, u64 next_pn, u64 now, unsigned int *flags);
int nqd_keys_on_ack(struct nqd_keys *k, u64 carrier_generation, u64 largest_acked, u64 now, u64 pto);
int nqd_keys_next_installed(struct nqd_keys *k, enum nqd_keys_dir dir, u64 generation);
unsigned int nqd_keys_on_timer(struct nqd_keys *k, u64 now);

/**
 * nqd_keys_rx_select() - choose the one generation that a packet is opened with
 * @k: key state
 * @phase: Key Phase bit of the packet, unprotected but not yet authenticated
 * @pn: packet number, reconstructed
 * @generation: where the choice goes
 *
 * RFC 9001 section 6.3 and 9.5: all keys are there before they are needed and every packet is opened
 * exactly once, so that timing does not tell the phase.
 *
 * Return: NQD_DROP_NONE and *@generation, or why no key fits.
 */
static inline enum nqd_drop_reason nqd_keys_rx_select(struct nqd_keys *k, unsigned int phase, u64 pn,
						      u64 *generation)
{
	if (unlikely(phase != (k->rx_generation & 1)))
		return nqd_keys_rx_select_other(k, pn, generation);
	*generation = k->rx_generation;
	return NQD_DROP_NONE;
}

/**
 * nqd_keys_rx_check() - may an authentic packet of this generation and number exist?
 * @k: key state
 * @generation: keys that opened it, as selected before the lock was dropped
 * @pn: its packet number
 *
 * Changes nothing: the packet may still be refused for its frames.
 *
 * Return: 0; -ESTALE if its keys were given up meanwhile (drop it); -EPROTO for KEY_UPDATE_ERROR.
 */
static inline int nqd_keys_rx_check(const struct nqd_keys *k, u64 generation, u64 pn)
{
	if (unlikely(generation != k->rx_generation))
		return nqd_keys_rx_check_other(k, generation, pn);
	/*
	 * RFC 9001 section 6.4: a higher packet number must not have older keys. (None yet is the largest
	 * u64: no packet is above it, hence the second test.)
	 */
	if (unlikely(k->rx_old_largest_pn != NQD_PN_NONE && pn < k->rx_old_largest_pn))
		return -EPROTO;
	return 0;
}

/**
 * nqd_keys_rx_in_order() - account for an authentic packet, if it changes nothing
 * @k: key state
 * @generation: keys that opened it
 * @pn: its packet number
 *
 * Return: true for nearly every packet; false if nqd_keys_rx_opened() must see it.
 */
static inline bool nqd_keys_rx_in_order(struct nqd_keys *k, u64 generation, u64 pn)
{
	if (unlikely(generation != k->rx_generation || pn < k->rx_first_pn ||
		     k->rx_largest_pn == NQD_PN_NONE))
		return false;
	if (pn > k->rx_largest_pn)
		k->rx_largest_pn = pn;
	return true;
}

/**
 * nqd_keys_oldest() - oldest generation that may still be used, in either direction
 * @k: key state
 *
 * Return: a generation; the slots of all below it may be wiped.
 */
static inline u64 nqd_keys_oldest(const struct nqd_keys *k)
{
	return k->rx_old ? k->rx_generation - 1 : k->rx_generation;
}

/**
 * nqd_keys_deadline() - when nqd_keys_on_timer() has something to do
 * @k: key state
 *
 * Return: a time, or NQD_TIME_NEVER.
 */
static inline u64 nqd_keys_deadline(const struct nqd_keys *k)
{
	return k->forget_at;
}

/**
 * nqd_keys_tx_phase() - Key Phase bit of packets sealed now
 * @k: key state
 *
 * Return: 0 or 1.
 */
static inline u8 nqd_keys_tx_phase(const struct nqd_keys *k)
{
	return k->tx_generation & 1;
}

/**
 * nqd_keys_tx_reserve() - take the right to seal packets with the current TX key
 * @k: key state
 * @packets: packets wished for
 * @flags: NQD_KEYS_UPDATE_NEEDED is added once a generation
 *
 * The last packet of a key is kept back: for nqd_keys_tx_reserve_close().
 *
 * Return: packets granted; fewer than wished for, down to 0, at the confidentiality limit
 * (RFC 9001 section 6.6).
 */
static inline u32 nqd_keys_tx_reserve(struct nqd_keys *k, u32 packets, unsigned int *flags)
{
	u64 left = k->sealed + 1 < k->seal_limit ? k->seal_limit - 1 - k->sealed : 0;

	if (unlikely(packets > left))
		packets = (u32)left;
	k->sealed += packets;
	if (unlikely(k->sealed >= k->seal_half && !k->update_asked)) {
		k->update_asked = true;
		*flags |= NQD_KEYS_UPDATE_NEEDED;
	}
	return packets;
}

/**
 * nqd_keys_tx_reserve_close() - take the right to seal a CONNECTION_CLOSE with the current TX key
 * @k: key state
 *
 * Return: true, or false where the limit was lowered below what the key has sealed.
 */
static inline bool nqd_keys_tx_reserve_close(struct nqd_keys *k)
{
	if (k->sealed >= k->seal_limit)
		return false;
	k->sealed++;
	return true;
}

/**
 * nqd_keys_ack_sent() - an ACK frame leaves
 * @k: key state
 * @largest_reported: its Largest Acknowledged
 */
static inline void nqd_keys_ack_sent(struct nqd_keys *k, u64 largest_reported)
{
	if (unlikely(!k->rx_confirmed) && largest_reported >= k->rx_first_pn)
		k->rx_confirmed = true;
}

#endif

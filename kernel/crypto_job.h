/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sealing and opening packets (RFC 9001 section 5.3), in place, where nothing may sleep.
 *
 * Each CPU has a job: the request of the crypto API and what that needs memory for. Nearly every packet
 * borrows it and is done when the call returns. Where a cipher completes later, the packet keeps the job
 * and the CPU takes another one from a pool that was filled when the module was loaded. Only a key that is
 * nqd_packet_aead.asynchronous needs a struct nqd_crypto_op for that.
 */
#ifndef _NQD_CRYPTO_JOB_H
#define _NQD_CRYPTO_JOB_H

#include "proto/conn.h"
#include "protection.h"

struct nqd_key;
struct nqd_session;
struct sk_buff;

/**
 * struct nqd_crypto_op - a packet to be sealed or opened by a cipher that may complete later
 * @key: the cipher, valid until the packet is done
 * @datagram: UDP payload from its first byte, in one piece of mapped memory; header protection is off
 * @len: bytes of it, with the 16 of the tag
 * @header: all members are given
 * @hold: called if the packet is not done at once, before @done: takes the references that it needs then
 * @done: called once a packet that was held is done, with what nqd_crypto_seal() or nqd_crypto_open()
 *	would have returned; in soft interrupt context or with BH off
 * @session: the caller's
 * @owner_key: the caller's: whose @key is, with a reference
 * @skb: the caller's
 * @rx: the caller's, of a packet to be opened
 * @foreign: the caller's: it came from another address than the peer's
 * @tos: the caller's: DSCP and ECN of the outer IP header
 * @inner: the caller's, of a packet to be sealed: bytes of the IP packet in it, 0 if there is none
 *
 * It may lie on the stack: what completes later is copied.
 */
struct nqd_crypto_op {
	const struct nqd_packet_aead *key;
	u8 *datagram;
	u32 len;
	struct nqd_short_header header;
	void (*hold)(struct nqd_crypto_op *op);
	void (*done)(struct nqd_crypto_op *op, int err);
	struct nqd_session *session;
	struct nqd_key *owner_key;
	struct sk_buff *skb;
	struct nqd_conn_rx rx;
	bool foreign;
	u8 tos;
	u32 inner;
};

int nqd_crypto_seal_now(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
			const struct nqd_short_header *header);
int nqd_crypto_open_now(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
			const struct nqd_short_header *header);
int nqd_crypto_seal(struct nqd_crypto_op *op);
int nqd_crypto_open(struct nqd_crypto_op *op);

int nqd_crypto_job_init(void);
void nqd_crypto_job_exit(void);

#endif /* _NQD_CRYPTO_JOB_H */

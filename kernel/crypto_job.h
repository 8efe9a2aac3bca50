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

#include <linux/err.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/unaligned.h>

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

/**
 * struct nqd_crypto_job - what a packet needs while a cipher works on it
 * @next: in the pool
 * @state: enum nqd_crypto_job_state, of a job whose cipher may complete later
 * @err: result, with NQD_CRYPTO_JOB_COMPLETED
 * @op: the packet, once it is held
 * @sg: the datagram
 * @nonce: RFC 9001 section 5.3
 * @request: for the crypto API, with NQD_CRYPTO_REQUEST_SIZE bytes of the driver's behind it
 */
struct nqd_crypto_job {
	struct nqd_crypto_job *next;
	atomic_t state;
	int err;
	struct nqd_crypto_op op;
	struct scatterlist sg;
	u8 nonce[NQD_IV_LEN];
	struct aead_request request;
};

DECLARE_PER_CPU(struct nqd_crypto_job *, nqd_crypto_job);

struct nqd_crypto_job *nqd_crypto_job_take(void);
int nqd_crypto_seal(struct nqd_crypto_op *op);
int nqd_crypto_open(struct nqd_crypto_op *op);

int nqd_crypto_job_init(void);
void nqd_crypto_job_exit(void);

/*
 * The job of this CPU, ready for a packet whose header, unprotected, is the associated data; or -EBADMSG, if
 * the packet is too short, or -ENOBUFS.
 */
static __always_inline struct nqd_crypto_job *nqd_crypto_job_ready(const struct nqd_packet_aead *key,
								   u8 *datagram, u32 len,
								   const struct nqd_short_header *header,
								   bool seal)
{
	struct nqd_crypto_job *job = this_cpu_read(nqd_crypto_job);
	u32 header_len = nqd_short_header_len(header);

	if (unlikely(len < header_len + NQD_TAG_LEN))
		return ERR_PTR(-EBADMSG);
	if (unlikely(!job)) {
		job = nqd_crypto_job_take();
		if (!job)
			return ERR_PTR(-ENOBUFS);
	}

	/* RFC 9001 section 5.3: the packet number, in network byte order, padded on the left. */
	memcpy(job->nonce, key->iv, sizeof(job->nonce));
	put_unaligned_be64(get_unaligned_be64(job->nonce + 4) ^ header->pn, job->nonce + 4);

	sg_set_buf(&job->sg, datagram, len);
	aead_request_set_tfm(&job->request, key->aead);
	aead_request_set_ad(&job->request, header_len);
	aead_request_set_crypt(&job->request, &job->sg, &job->sg,
			       len - header_len - (seal ? NQD_TAG_LEN : 0), job->nonce);
	return job;
}

/**
 * nqd_crypto_seal_now() - encrypt a packet, in place, with a cipher that never completes later
 * @key: its key
 * @datagram: header, packet number, frames, and 16 bytes for the tag
 * @len: bytes of it
 * @header: all members are given
 *
 * Context: BH off.
 *
 * Return: 0; -EBADMSG if it is too short, or another error if the cipher failed.
 */
static inline int nqd_crypto_seal_now(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
				      const struct nqd_short_header *header)
{
	struct nqd_crypto_job *job = nqd_crypto_job_ready(key, datagram, len, header, true);

	return IS_ERR(job) ? PTR_ERR(job) : crypto_aead_encrypt(&job->request);
}

/**
 * nqd_crypto_open_now() - authenticate and decrypt a packet, in place, likewise
 * @key: its key
 * @datagram: UDP payload; header protection is off
 * @len: bytes of it
 * @header: all members are given
 *
 * Context: BH off.
 *
 * Return: as nqd_crypto_seal_now(); -EBADMSG if it is not authentic.
 */
static inline int nqd_crypto_open_now(const struct nqd_packet_aead *key, u8 *datagram, u32 len,
				      const struct nqd_short_header *header)
{
	struct nqd_crypto_job *job = nqd_crypto_job_ready(key, datagram, len, header, false);

	return IS_ERR(job) ? PTR_ERR(job) : crypto_aead_decrypt(&job->request);
}

#endif /* _NQD_CRYPTO_JOB_H */

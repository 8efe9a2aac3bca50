/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packet protection (RFC 9001 section 5): one AEAD key, one header protection key. Header protection is
 * here, in place on a datagram that lies in one piece; sealing and opening are in crypto_job.h.
 */
#ifndef _NQD_PROTECTION_H
#define _NQD_PROTECTION_H

#include <crypto/aead.h>
#include <linux/types.h>
#include <linux/unaligned.h>

#include "compat/cipher.h"
#include "proto/pn.h"
#include "suite.h"

/* RFC 9001 section 5.3: all its AEADs have a tag of 16 bytes. */
#define NQD_TAG_LEN 16
/* RFC 9001 section 5.4.2: the sample lies 4 bytes behind the start of the packet number. */
#define NQD_SAMPLE_OFFSET 4
#define NQD_SAMPLE_LEN 16
/* RFC 9001 section 5.4.1: a byte for the first byte of the header, four for the packet number. */
#define NQD_MASK_LEN 5
/* RFC 9000 section 17.3.1. */
#define NQD_SHORT_FORM_MASK 0x1f
#define NQD_FIXED_BIT 0x40
#define NQD_LONG_BIT 0x80
/* Memory that a cipher's driver may want for each packet: the GCM of all kernels takes less than half. */
#define NQD_CRYPTO_REQUEST_SIZE 1024

/**
 * struct nqd_packet_aead - one packet protection key of one direction and generation
 * @aead: the kernel's cipher with the key
 * @asynchronous: it may complete later
 * @iv: RFC 9001 section 5.3: its exclusive or with the packet number is the nonce
 */
struct nqd_packet_aead {
	struct crypto_aead *aead;
	bool asynchronous;
	u8 iv[NQD_IV_LEN];
};

/**
 * struct nqd_header_cipher - one header protection key
 * @suite: its cipher suite
 * @aes: for the AES suites
 * @chacha20: for the ChaCha20 suite: the key as eight words
 */
struct nqd_header_cipher {
	const struct nqd_suite *suite;
	union {
		struct nqd_compat_aes aes;
		u32 chacha20[8];
	};
};

/**
 * struct nqd_short_header - where the parts of a packet with a short header are
 * @pn: packet number
 * @cid_len: bytes of the connection ID, 0 to 20
 * @pn_len: bytes of the packet number, 1 to 4; known once header protection is off
 */
struct nqd_short_header {
	u64 pn;
	u8 cid_len;
	u8 pn_len;
};

/**
 * nqd_short_header_len() - bytes before the payload (RFC 9000 section 17.3.1)
 * @header: all members but @pn are given
 *
 * Return: first byte, connection ID and packet number together.
 */
static inline u32 nqd_short_header_len(const struct nqd_short_header *header)
{
	return 1 + header->cid_len + header->pn_len;
}

int nqd_packet_aead_init(struct nqd_packet_aead *key, const struct nqd_suite *suite,
			 const struct nqd_packet_key *from, const char **why);
void nqd_packet_aead_clear(struct nqd_packet_aead *key);

int nqd_header_cipher_init(struct nqd_header_cipher *hp, const struct nqd_suite *suite,
			   const struct nqd_header_key *from, const char **why);
void nqd_header_cipher_clear(struct nqd_header_cipher *hp);

void nqd_header_mask_chacha20(const struct nqd_header_cipher *hp, const u8 *sample, u8 mask[NQD_SAMPLE_LEN]);

/* RFC 9001 sections 5.4.3 and 5.4.4: NQD_MASK_LEN bytes of @mask. */
static inline void nqd_header_mask(const struct nqd_header_cipher *hp, const u8 *sample,
				   u8 mask[NQD_SAMPLE_LEN])
{
	if (unlikely(hp->suite->chacha20))
		nqd_header_mask_chacha20(hp, sample, mask);
	else
		nqd_compat_aes_block(&hp->aes, mask, sample);
}

/*
 * Puts a mask on a packet number or takes it off. Four bytes at once: as many lie in front of the sample,
 * whatever the length of the number.
 */
static inline u32 nqd_header_mask_pn(u8 *pn, u8 pn_len, const u8 *mask)
{
	unsigned int rest = 32 - 8 * pn_len;
	u32 word = get_unaligned_be32(pn) ^ (get_unaligned_be32(mask + 1) >> rest << rest);

	put_unaligned_be32(word, pn);
	return word >> rest;
}

/**
 * nqd_header_unprotect() - take header protection off, in place
 * @hp: key
 * @datagram: UDP payload from its first byte
 * @len: its bytes
 * @header: @cid_len is given; @pn_len is set
 * @truncated_pn: set to the packet number as it is on the wire, to be decoded (RFC 9000 section A.3)
 *
 * The reserved bits are not looked at: they mean nothing before the AEAD (RFC 9000 section 17.3.1).
 *
 * Return: NQD_DROP_NONE, or why the datagram is no packet of ours; it is unchanged then.
 */
static inline enum nqd_drop_reason nqd_header_unprotect(const struct nqd_header_cipher *hp, u8 *datagram,
							u32 len, struct nqd_short_header *header,
							u32 *truncated_pn)
{
	u32 at = 1 + header->cid_len;
	u8 mask[NQD_SAMPLE_LEN];

	/* RFC 9001 section 5.4.2: too short for a sample, hence for a packet number and a tag. */
	if (len < at + NQD_SAMPLE_OFFSET + NQD_SAMPLE_LEN)
		return NQD_DROP_TRUNCATED;
	if ((datagram[0] & (NQD_LONG_BIT | NQD_FIXED_BIT)) != NQD_FIXED_BIT)
		return NQD_DROP_FIXED_BIT;

	nqd_header_mask(hp, datagram + at + NQD_SAMPLE_OFFSET, mask);
	datagram[0] ^= mask[0] & NQD_SHORT_FORM_MASK;
	header->pn_len = (datagram[0] & NQD_PN_LEN_MASK) + 1;
	*truncated_pn = nqd_header_mask_pn(datagram + at, header->pn_len, mask);
	return NQD_DROP_NONE;
}

/**
 * nqd_header_protect() - put header protection on, in place
 * @hp: key
 * @datagram: sealed packet, UDP payload from its first byte
 * @len: its bytes
 * @header: @cid_len and @pn_len are given
 *
 * Return: 0, or -EMSGSIZE if the packet is too short for a sample.
 */
static inline int nqd_header_protect(const struct nqd_header_cipher *hp, u8 *datagram, u32 len,
				     const struct nqd_short_header *header)
{
	u32 at = 1 + header->cid_len;
	u8 mask[NQD_SAMPLE_LEN];

	if (len < at + NQD_SAMPLE_OFFSET + NQD_SAMPLE_LEN)
		return -EMSGSIZE;
	nqd_header_mask(hp, datagram + at + NQD_SAMPLE_OFFSET, mask);
	datagram[0] ^= mask[0] & NQD_SHORT_FORM_MASK;
	nqd_header_mask_pn(datagram + at, header->pn_len, mask);
	return 0;
}

#endif /* _NQD_PROTECTION_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packet protection (RFC 9001 section 5): one AEAD key, one header protection key. Header protection is
 * here, in place on a datagram that lies in one piece; sealing and opening are in crypto_job.h.
 */
#ifndef _NQD_PROTECTION_H
#define _NQD_PROTECTION_H

#include <crypto/aead.h>
#include <linux/types.h>

#include "compat/cipher.h"
#include "suite.h"

/* RFC 9001 section 5.3: all its AEADs have a tag of 16 bytes. */
#define NQD_TAG_LEN 16
/* RFC 9001 section 5.4.2: the sample lies 4 bytes behind the start of the packet number. */
#define NQD_SAMPLE_OFFSET 4
#define NQD_SAMPLE_LEN 16
/* RFC 9001 section 5.4.1: a byte for the first byte of the header, four for the packet number. */
#define NQD_MASK_LEN 5
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

enum nqd_drop_reason nqd_header_unprotect(const struct nqd_header_cipher *hp, u8 *datagram, u32 len,
					  struct nqd_short_header *header, u32 *truncated_pn);
int nqd_header_protect(const struct nqd_header_cipher *hp, u8 *datagram, u32 len,
		       const struct nqd_short_header *header);

#endif /* _NQD_PROTECTION_H */

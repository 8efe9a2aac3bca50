/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QUIC packet protection (RFC 9001 section 5) on libcrypto: AEAD in place, header protection masks
 * for a batch at a time, key derivation for key updates. One struct nqe_crypto serves one direction
 * of a session.
 */
#ifndef NQE_CRYPTO_H
#define NQE_CRYPTO_H

#include <linux/types.h>
#include "uapi/nexus_quic_dco.h"

#define NQE_CRYPTO_TAG 16 /* every suite's AEAD tag (RFC 9001 section 5.3) */
#define NQE_CRYPTO_INFO 64 /* room for what nqe_crypto_info() writes; labels of ours are short */
#define NQE_CRYPTO_SAMPLE 16 /* RFC 9001 section 5.4.2 */
#define NQE_CRYPTO_MASK 5 /* RFC 9001 section 5.4.1 */
#define NQE_CRYPTO_IV 12
#define NQE_CRYPTO_MAX_KEY 32
#define NQE_CRYPTO_MAX_SECRET 48 /* SHA-384 */
#define NQE_CRYPTO_SLOTS 4 /* generations previous, current and next; indexed by generation & 3 */

/* Bytes of a context and its key schedule, more or less. */
#define NQE_CRYPTO_CONTEXT 1024

/**
 * struct nqe_crypto_slot - packet protection of one key generation
 * @aead: libcrypto context with its key schedule; NULL: the slot is empty
 * @generation: key generation, counted from 0 at the handshake
 * @iv: the IV that the nonce is made from
 */
struct nqe_crypto_slot {
	void *aead;
	u64 generation;
	u8 iv[NQE_CRYPTO_IV];
};

/**
 * struct nqe_crypto - keys of one direction
 * @suite: enum nqd_cipher_suite
 * @seal: this is the sending direction
 * @hp: header protection context; the same for all generations (RFC 9001 section 6)
 * @slot: keys by generation & 3
 */
struct nqe_crypto {
	u32 suite;
	bool seal;
	void *hp;
	struct nqe_crypto_slot slot[NQE_CRYPTO_SLOTS];
};

/* Bytes of a suite's key; 0: the suite is unknown, or this libcrypto lacks it. */
u32 nqe_crypto_key_len(u32 suite);

/* Bytes of a suite's traffic secrets. */
u32 nqe_crypto_secret_len(u32 suite);

/**
 * nqe_crypto_init - begin with a header protection key and no generation
 * @c: the direction; must be zeroed or freed
 * @suite: enum nqd_cipher_suite
 * @seal: sending direction
 * @hp: header protection key
 * @len: its bytes
 *
 * Return: 0, -EOPNOTSUPP for an unknown suite, -EINVAL for a wrong length, -ENOMEM.
 */
int nqe_crypto_init(struct nqe_crypto *c, u32 suite, bool seal, const u8 *hp, u32 len);

/**
 * nqe_crypto_install - put a generation's key into its slot
 * @c: the direction
 * @generation: key generation; an older one in the same slot is wiped
 * @key: AEAD key
 * @len: its bytes
 * @iv: NQE_CRYPTO_IV bytes
 *
 * Return: 0, -EINVAL for a wrong length, -ENOMEM.
 */
int nqe_crypto_install(struct nqe_crypto *c, u64 generation, const u8 *key, u32 len, const u8 *iv);

/* Whether a generation's key is there. */
bool nqe_crypto_has(const struct nqe_crypto *c, u64 generation);

/*
 * Begins to load what libcrypto needs for a packet: contexts, and the key schedules that it allocates
 * right behind them.
 */
static inline void nqe_crypto_prefetch(const struct nqe_crypto *c, u64 generation)
{
	const u8 *aead = c->slot[generation % NQE_CRYPTO_SLOTS].aead, *hp = c->hp;
	size_t at;

	for (at = 0; at < NQE_CRYPTO_CONTEXT; at += 64) {
		__builtin_prefetch(aead + at);
		__builtin_prefetch(hp + at);
	}
}

/* Wipes one generation; nothing happens where it is not there. */
void nqe_crypto_forget(struct nqe_crypto *c, u64 generation);

/* Wipes everything. */
void nqe_crypto_free(struct nqe_crypto *c);

/**
 * nqe_crypto_seal - encrypt and authenticate in place (RFC 9001 section 5.3)
 * @c: the sending direction
 * @generation: key to use
 * @pn: packet number
 * @packet: header and payload, back to back; NQE_CRYPTO_TAG bytes of room behind them
 * @header: bytes of the header, packet number included, not yet protected
 * @len: bytes of header and payload
 *
 * Return: 0, -ENOKEY, or -EIO where libcrypto fails.
 */
int nqe_crypto_seal(struct nqe_crypto *c, u64 generation, u64 pn, u8 *packet, u32 header, u32 len);

/**
 * nqe_crypto_open - authenticate and decrypt in place
 * @c: the receiving direction
 * @generation: key to use
 * @pn: packet number, decoded in full
 * @packet: header (protection removed), ciphertext, tag
 * @header: bytes of the header
 * @len: bytes of all
 *
 * Return: 0, -EBADMSG (the payload is then undefined), -ENOKEY.
 */
int nqe_crypto_open(struct nqe_crypto *c, u64 generation, u64 pn, u8 *packet, u32 header, u32 len);

/**
 * nqe_crypto_masks - header protection masks of a batch (RFC 9001 sections 5.4.3, 5.4.4)
 * @c: the direction
 * @samples: @count times NQE_CRYPTO_SAMPLE bytes
 * @masks: @count times NQE_CRYPTO_SAMPLE bytes; the first NQE_CRYPTO_MASK of each count. May be
 * @samples
 * @count: packets
 *
 * Return: 0, or -EIO where libcrypto fails.
 */
int nqe_crypto_masks(struct nqe_crypto *c, const u8 *samples, u8 *masks, u32 count);

/**
 * nqe_crypto_derive - packet protection keys of a traffic secret (RFC 9001 section 5.1)
 * @suite: enum nqd_cipher_suite
 * @secret: nqe_crypto_secret_len() bytes
 * @key: nqe_crypto_key_len() bytes out
 * @iv: NQE_CRYPTO_IV bytes out
 * @hp: nqe_crypto_key_len() bytes out, or NULL
 *
 * Return: 0, -EOPNOTSUPP, or -EIO where libcrypto fails.
 */
int nqe_crypto_derive(u32 suite, const u8 *secret, u8 *key, u8 *iv, u8 *hp);

/**
 * nqe_crypto_info - what HKDF-Expand-Label makes an HMAC of (RFC 8446 section 7.1)
 * @label: without "tls13 "
 * @len: bytes of output, at most one hash: HKDF-Expand (RFC 5869 section 2.3) is a single HMAC then,
 * of the label, an empty context and the byte 1
 * @info: out, NQE_CRYPTO_INFO bytes of room
 *
 * Return: bytes of @info.
 */
u32 nqe_crypto_info(const char *label, u32 len, u8 *info);

/*
 * The next generation's secret ("quic ku", RFC 9001 section 6.1). @next may be @secret. Returns as
 * above.
 */
int nqe_crypto_next_secret(u32 suite, const u8 *secret, u8 *next);

/* Compares without telling by its time where the difference is. */
bool nqe_crypto_equal(const void *a, const void *b, size_t len);

/* Overwrites key bytes; not optimised away. */
void nqe_crypto_wipe(void *p, size_t len);

#endif

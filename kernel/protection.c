// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of packet protection, and header protection.
 *
 * No "synchronous only" is asked of the crypto API: on Linux 6.1 and 6.12 the fast x86 AES-GCM counts as
 * asynchronous and that mask silently selects the slow generic C. What does complete later (it is called
 * where the FPU may not be used) is crypto_job.c's concern.
 */
#include <linux/unaligned.h>

#include "protection.h"

static bool nqd_protection_all_zero(const u8 *bytes, u32 len)
{
	return !memchr_inv(bytes, 0, len);
}

/**
 * nqd_packet_aead_init() - take a packet protection key
 * @key: where it goes; to be cleared by nqd_packet_aead_clear()
 * @suite: its cipher suite
 * @from: as user space gives it
 * @why: set to the reason of a refusal
 *
 * Context: may sleep.
 *
 * Return: 0, -EINVAL where bytes beyond the key of the suite are not zero, or what the crypto API says.
 * After an error there is nothing to clear.
 */
int nqd_packet_aead_init(struct nqd_packet_aead *key, const struct nqd_suite *suite,
			 const struct nqd_packet_key *from, const char **why)
{
	struct crypto_aead *aead;
	int err;

	if (!nqd_protection_all_zero(from->key + suite->key_len, sizeof(from->key) - suite->key_len) ||
	    !nqd_protection_all_zero(from->pad, sizeof(from->pad))) {
		*why = "a packet key is longer than the cipher suite's";
		return -EINVAL;
	}
	aead = crypto_alloc_aead(suite->aead, 0, 0);
	if (IS_ERR(aead)) {
		*why = "the kernel has no cipher for the suite";
		return PTR_ERR(aead);
	}
	err = crypto_aead_setkey(aead, from->key, suite->key_len);
	if (!err)
		err = crypto_aead_setauthsize(aead, NQD_TAG_LEN);
	if (!err && crypto_aead_reqsize(aead) > NQD_CRYPTO_REQUEST_SIZE)
		err = -EOPNOTSUPP;
	if (err) {
		*why = "the cipher refuses the packet key";
		crypto_free_aead(aead);
		return err;
	}
	key->aead = aead;
	key->asynchronous = crypto_aead_alg(aead)->base.cra_flags & CRYPTO_ALG_ASYNC;
	memcpy(key->iv, from->iv, sizeof(key->iv));
	return 0;
}

/**
 * nqd_packet_aead_clear() - wipe a packet protection key
 * @key: key that nobody uses any more, or all zero
 *
 * Context: may sleep.
 */
void nqd_packet_aead_clear(struct nqd_packet_aead *key)
{
	/* The crypto API wipes what it holds of a key (kfree_sensitive). */
	if (key->aead)
		crypto_free_aead(key->aead);
	memzero_explicit(key, sizeof(*key));
}

/**
 * nqd_header_cipher_init() - take a header protection key
 * @hp: where it goes; to be cleared by nqd_header_cipher_clear()
 * @suite: its cipher suite
 * @from: as user space gives it
 * @why: set to the reason of a refusal
 *
 * Return: 0 or -EINVAL; after an error there is nothing to clear.
 */
int nqd_header_cipher_init(struct nqd_header_cipher *hp, const struct nqd_suite *suite,
			   const struct nqd_header_key *from, const char **why)
{
	unsigned int i;
	int err = 0;

	if (!nqd_protection_all_zero(from->key + suite->key_len, sizeof(from->key) - suite->key_len)) {
		*why = "a header protection key is longer than the cipher suite's";
		return -EINVAL;
	}
	hp->suite = suite;
	if (suite->chacha20)
		for (i = 0; i < ARRAY_SIZE(hp->chacha20); i++)
			hp->chacha20[i] = get_unaligned_le32(from->key + 4 * i);
	else
		err = nqd_compat_aes_prepare(&hp->aes, from->key, suite->key_len);
	if (err) {
		*why = "the cipher refuses the header protection key";
		memzero_explicit(hp, sizeof(*hp));
	}
	return err;
}

/**
 * nqd_header_cipher_clear() - wipe a header protection key
 * @hp: key that nobody uses any more
 */
void nqd_header_cipher_clear(struct nqd_header_cipher *hp)
{
	/* The suite stays: a packet that comes back from an asynchronous cipher may still look at it. */
	if (hp->suite && hp->suite->chacha20)
		memzero_explicit(hp->chacha20, sizeof(hp->chacha20));
	else
		memzero_explicit(&hp->aes, sizeof(hp->aes));
}

/**
 * nqd_header_mask_chacha20() - RFC 9001 section 5.4.4
 * @hp: key of the ChaCha20 suite
 * @sample: counter and nonce, in the order of the kernel's IV
 * @mask: NQD_MASK_LEN bytes are set
 */
void nqd_header_mask_chacha20(const struct nqd_header_cipher *hp, const u8 *sample, u8 mask[NQD_SAMPLE_LEN])
{
	nqd_compat_chacha20(hp->chacha20, sample, mask, NQD_MASK_LEN);
}

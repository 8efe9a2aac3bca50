/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's ciphers for header protection, alike in all kernels: one AES block, five bytes of
 * ChaCha20 key stream. Both are functions of lib/crypto: no allocation, any context.
 */
#ifndef _NQD_COMPAT_CIPHER_H
#define _NQD_COMPAT_CIPHER_H

#include <crypto/aes.h>
#include <crypto/chacha.h>
#include <linux/string.h>

#include "probed.h"

/**
 * struct nqd_compat_aes - a prepared AES key
 * @key: as the kernel wants it
 */
struct nqd_compat_aes {
#ifdef NQD_HAVE_AES_ENCKEY
	struct aes_enckey key;
#else
	struct crypto_aes_ctx key;
#endif
};

/**
 * nqd_compat_aes_prepare() - expand an AES key
 * @aes: where it goes
 * @key: the key
 * @len: its bytes: 16 or 32
 *
 * Return: 0 or -EINVAL.
 */
static inline int nqd_compat_aes_prepare(struct nqd_compat_aes *aes, const u8 *key, u32 len)
{
#ifdef NQD_HAVE_AES_ENCKEY
	return aes_prepareenckey(&aes->key, key, len);
#else
	return aes_expandkey(&aes->key, key, len);
#endif
}

/**
 * nqd_compat_aes_block() - encrypt one block
 * @aes: key
 * @out: 16 bytes
 * @in: 16 bytes
 */
static inline void nqd_compat_aes_block(const struct nqd_compat_aes *aes, u8 *out, const u8 *in)
{
	aes_encrypt(&aes->key, out, in);
}

/**
 * nqd_compat_chacha20() - key stream
 * @key: eight words
 * @iv: block counter, little-endian, and nonce: 16 bytes in all
 * @out: where the key stream goes
 * @len: bytes of it
 */
static inline void nqd_compat_chacha20(const u32 *key, const u8 *iv, u8 *out, u32 len)
{
#ifdef NQD_HAVE_CHACHA_STATE
	struct chacha_state state;

	chacha_init(&state, key, iv);
	memset(out, 0, len);
	chacha20_crypt(&state, out, out, len);
	chacha_zeroize_state(&state);
#else
	u32 state[CHACHA_STATE_WORDS] __aligned(16);

	chacha_init(state, key, iv);
	memset(out, 0, len);
	chacha20_crypt(state, out, out, len);
	memzero_explicit(state, sizeof(state));
#endif
}

#endif /* _NQD_COMPAT_CIPHER_H */

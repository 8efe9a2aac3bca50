// SPDX-License-Identifier: BSD-3-Clause
#include "crypto.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* What a suite is made of (RFC 9001 sections 5.3 and 5.4; hash: RFC 8446 section B.4). */
struct nqe_crypto_suite {
	u32 suite;
	u32 key_len;
	u32 secret_len;
	const EVP_CIPHER *(*aead)(void);
	const EVP_CIPHER *(*hp)(void);
	const EVP_MD *(*hash)(void);
};

static const struct nqe_crypto_suite nqe_crypto_suites[] = {
	{ NQD_CIPHER_SUITE_AES_128_GCM_SHA256, 16, 32, EVP_aes_128_gcm, EVP_aes_128_ecb,
	  EVP_sha256 },
	{ NQD_CIPHER_SUITE_AES_256_GCM_SHA384, 32, 48, EVP_aes_256_gcm, EVP_aes_256_ecb,
	  EVP_sha384 },
#ifndef OPENSSL_NO_CHACHA
	{ NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256, 32, 32, EVP_chacha20_poly1305, EVP_chacha20,
	  EVP_sha256 },
#endif
};

static const struct nqe_crypto_suite *nqe_crypto_suite(u32 suite)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nqe_crypto_suites); i++)
		if (nqe_crypto_suites[i].suite == suite)
			return &nqe_crypto_suites[i];
	return NULL;
}

u32 nqe_crypto_key_len(u32 suite)
{
	const struct nqe_crypto_suite *s = nqe_crypto_suite(suite);

	return s ? s->key_len : 0;
}

u32 nqe_crypto_secret_len(u32 suite)
{
	const struct nqe_crypto_suite *s = nqe_crypto_suite(suite);

	return s ? s->secret_len : 0;
}

int nqe_crypto_init(struct nqe_crypto *c, u32 suite, bool seal, const u8 *hp, u32 len)
{
	const struct nqe_crypto_suite *s = nqe_crypto_suite(suite);

	memset(c, 0, sizeof(*c));
	if (!s)
		return -EOPNOTSUPP;
	if (len != s->key_len)
		return -EINVAL;
	c->suite = suite;
	c->seal = seal;
	c->hp = EVP_CIPHER_CTX_new();
	if (!c->hp)
		return -ENOMEM;
	/* ChaCha20's IV is the sample, so it comes with each packet. */
	if (EVP_EncryptInit_ex(c->hp, s->hp(), NULL, hp, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(c->hp, 0) != 1) {
		nqe_crypto_free(c);
		return -EOPNOTSUPP;
	}
	return 0;
}

static void nqe_crypto_clear_slot(struct nqe_crypto_slot *slot)
{
	/* Frees and cleanses the key schedule. */
	EVP_CIPHER_CTX_free(slot->aead);
	nqe_crypto_wipe(slot, sizeof(*slot));
}

int nqe_crypto_install(struct nqe_crypto *c, u64 generation, const u8 *key, u32 len, const u8 *iv)
{
	struct nqe_crypto_slot *slot = &c->slot[generation % NQE_CRYPTO_SLOTS];
	const struct nqe_crypto_suite *s = nqe_crypto_suite(c->suite);
	EVP_CIPHER_CTX *aead;

	if (len != s->key_len)
		return -EINVAL;
	aead = EVP_CIPHER_CTX_new();
	if (!aead)
		return -ENOMEM;
	if (EVP_CipherInit_ex(aead, s->aead(), NULL, key, NULL, c->seal) != 1) {
		EVP_CIPHER_CTX_free(aead);
		return -EOPNOTSUPP;
	}
	nqe_crypto_clear_slot(slot);
	slot->aead = aead;
	slot->generation = generation;
	memcpy(slot->iv, iv, sizeof(slot->iv));
	return 0;
}

static struct nqe_crypto_slot *nqe_crypto_slot(const struct nqe_crypto *c, u64 generation)
{
	const struct nqe_crypto_slot *slot = &c->slot[generation % NQE_CRYPTO_SLOTS];

	return slot->aead && slot->generation == generation ? (struct nqe_crypto_slot *)slot : NULL;
}

bool nqe_crypto_has(const struct nqe_crypto *c, u64 generation)
{
	return nqe_crypto_slot(c, generation);
}

void nqe_crypto_forget(struct nqe_crypto *c, u64 generation)
{
	struct nqe_crypto_slot *slot = nqe_crypto_slot(c, generation);

	if (slot)
		nqe_crypto_clear_slot(slot);
}

void nqe_crypto_free(struct nqe_crypto *c)
{
	u32 i;

	for (i = 0; i < NQE_CRYPTO_SLOTS; i++)
		nqe_crypto_clear_slot(&c->slot[i]);
	EVP_CIPHER_CTX_free(c->hp);
	c->hp = NULL;
}

/* RFC 9001 section 5.3: the packet number, left-padded to the IV's size, exclusive-or the IV. */
static void nqe_crypto_nonce(const struct nqe_crypto_slot *slot, u64 pn, u8 *nonce)
{
	memcpy(nonce, slot->iv, NQE_CRYPTO_IV);
	put_unaligned_be64(get_unaligned_be64(nonce + 4) ^ pn, nonce + 4);
}

int nqe_crypto_seal(struct nqe_crypto *c, u64 generation, u64 pn, u8 *packet, u32 header, u32 len)
{
	struct nqe_crypto_slot *slot = nqe_crypto_slot(c, generation);
	u8 nonce[NQE_CRYPTO_IV];
	int n;

	if (!slot)
		return -ENOKEY;
	nqe_crypto_nonce(slot, pn, nonce);
	if (EVP_EncryptInit_ex(slot->aead, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(slot->aead, NULL, &n, packet, (int)header) != 1 ||
	    EVP_EncryptUpdate(slot->aead, packet + header, &n, packet + header,
			      (int)(len - header)) != 1 ||
	    EVP_EncryptFinal_ex(slot->aead, packet + len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(slot->aead, EVP_CTRL_AEAD_GET_TAG, NQE_CRYPTO_TAG, packet + len) !=
		    1)
		return -EIO;
	return 0;
}

int nqe_crypto_open(struct nqe_crypto *c, u64 generation, u64 pn, u8 *packet, u32 header, u32 len)
{
	struct nqe_crypto_slot *slot = nqe_crypto_slot(c, generation);
	u8 nonce[NQE_CRYPTO_IV];
	u32 end;
	int n;

	if (!slot)
		return -ENOKEY;
	if (len < header + NQE_CRYPTO_TAG)
		return -EBADMSG;
	end = len - NQE_CRYPTO_TAG;
	nqe_crypto_nonce(slot, pn, nonce);
	if (EVP_DecryptInit_ex(slot->aead, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_CIPHER_CTX_ctrl(slot->aead, EVP_CTRL_AEAD_SET_TAG, NQE_CRYPTO_TAG, packet + end) !=
		    1 ||
	    EVP_DecryptUpdate(slot->aead, NULL, &n, packet, (int)header) != 1 ||
	    EVP_DecryptUpdate(slot->aead, packet + header, &n, packet + header,
			      (int)(end - header)) != 1 ||
	    EVP_DecryptFinal_ex(slot->aead, packet + end, &n) != 1)
		return -EBADMSG;
	return 0;
}

int nqe_crypto_masks(struct nqe_crypto *c, const u8 *samples, u8 *masks, u32 count)
{
	static const u8 zeros[NQE_CRYPTO_MASK];
	u32 i;
	int n;

	/*
	 * RFC 9001 section 5.4.3: AES-ECB of the sample; blocks are independent, so one call does
	 * all.
	 */
	if (c->suite != NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256)
		return EVP_EncryptUpdate(c->hp, masks, &n, samples,
					 (int)(count * NQE_CRYPTO_SAMPLE)) == 1
			       ? 0
			       : -EIO;
	/*
	 * RFC 9001 section 5.4.4: counter and nonce are the sample, laid out as libcrypto's 16-byte
	 * IV.
	 */
	for (i = 0; i < count; i++) {
		u8 iv[NQE_CRYPTO_SAMPLE];

		memcpy(iv, samples + i * NQE_CRYPTO_SAMPLE, sizeof(iv));
		if (EVP_EncryptInit_ex(c->hp, NULL, NULL, NULL, iv) != 1 ||
		    EVP_EncryptUpdate(c->hp, masks + i * NQE_CRYPTO_SAMPLE, &n, zeros,
				      sizeof(zeros)) != 1)
			return -EIO;
	}
	return 0;
}

u32 nqe_crypto_info(const char *label, u32 len, u8 *info)
{
	size_t label_len = strlen(label);
	u32 n = 0;

	put_unaligned_be16((u16)len, info);
	n += 2;
	info[n++] = (u8)(6 + label_len);
	memcpy(info + n, "tls13 ", 6);
	n += 6;
	memcpy(info + n, label, label_len);
	n += (u32)label_len;
	info[n++] = 0; /* no context */
	info[n++] = 1; /* first and only block */
	return n;
}

static int nqe_crypto_expand(const struct nqe_crypto_suite *s, const u8 *secret, const char *label,
			     u8 *out, u32 len)
{
	u8 info[NQE_CRYPTO_INFO], block[EVP_MAX_MD_SIZE];
	u32 n = nqe_crypto_info(label, len, info);
	unsigned int block_len;

	if (!HMAC(s->hash(), secret, (int)s->secret_len, info, n, block, &block_len) ||
	    block_len < len)
		return -EIO;
	memcpy(out, block, len);
	nqe_crypto_wipe(block, sizeof(block));
	return 0;
}

int nqe_crypto_derive(u32 suite, const u8 *secret, u8 *key, u8 *iv, u8 *hp)
{
	const struct nqe_crypto_suite *s = nqe_crypto_suite(suite);
	int err;

	if (!s)
		return -EOPNOTSUPP;
	err = nqe_crypto_expand(s, secret, "quic key", key, s->key_len);
	if (!err)
		err = nqe_crypto_expand(s, secret, "quic iv", iv, NQE_CRYPTO_IV);
	if (!err && hp)
		err = nqe_crypto_expand(s, secret, "quic hp", hp, s->key_len);
	return err;
}

int nqe_crypto_next_secret(u32 suite, const u8 *secret, u8 *next)
{
	const struct nqe_crypto_suite *s = nqe_crypto_suite(suite);

	return s ? nqe_crypto_expand(s, secret, "quic ku", next, s->secret_len) : -EOPNOTSUPP;
}

bool nqe_crypto_equal(const void *a, const void *b, size_t len)
{
	return !CRYPTO_memcmp(a, b, len);
}

void nqe_crypto_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

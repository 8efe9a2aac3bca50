// SPDX-License-Identifier: BSD-3-Clause
#include "authenticator.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define RANDOM_AT 6 /* RFC 8446 section 4.1.2: after type, length and legacy_version */
#define RANDOM_LEN 32
#define HASH_LEN 32 /* SHA-256 */
#define NONCE_LEN 12
#define TAG_LEN (RANDOM_LEN - NQE_AUTHENTICATOR_PLAINTEXT)

static const char nqe_label_hello[] = "quic-reality v1 ch";
static const char nqe_label_server[] = "quic-reality v1 srv";
static const u8 nqe_zeros[RANDOM_LEN];

/**
 * struct nqe_hello_keys - what is derived for one hello
 * @prk: pseudorandom key (RFC 5869 section 2.2)
 * @block: key and nonce of the AEAD
 */
struct nqe_hello_keys {
	u8 prk[HASH_LEN];
	u8 block[2 * HASH_LEN];
};

/* The hello with zeros in place of random. */
static int nqe_authenticator_digest(const u8 *hello, u32 len, u8 *digest)
{
	const u32 end = RANDOM_AT + RANDOM_LEN;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	if (!ctx)
		return -ENOMEM;
	ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, hello, RANDOM_AT) == 1 &&
	     EVP_DigestUpdate(ctx, nqe_zeros, RANDOM_LEN) == 1 &&
	     EVP_DigestUpdate(ctx, hello + end, len - end) == 1 &&
	     EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

/* HKDF-Expand (RFC 5869 section 2.3), @blocks times a hash long. */
static int nqe_authenticator_expand(const u8 *prk, const char *label, u8 *out, u32 blocks)
{
	u8 text[HASH_LEN + sizeof(nqe_label_server) + 1];
	u32 before = 0, label_len = (u32)strlen(label), i;

	for (i = 0; i < blocks; i++) {
		memcpy(text + before, label, label_len);
		text[before + label_len] = (u8)(i + 1);
		if (!HMAC(EVP_sha256(), prk, HASH_LEN, text, before + label_len + 1,
			  out + i * HASH_LEN, NULL))
			return -EIO;
		memcpy(text, out + i * HASH_LEN, HASH_LEN);
		before = HASH_LEN;
	}
	OPENSSL_cleanse(text, sizeof(text));
	return 0;
}

static int nqe_authenticator_derive(struct nqe_hello_keys *keys, const u8 *shared, const u8 *psk,
				    const u8 *salt, u8 *server_key)
{
	u8 secret[2 * NQE_AUTHENTICATOR_KEY];
	int err = 0;

	memcpy(secret, shared, NQE_AUTHENTICATOR_KEY);
	memcpy(secret + NQE_AUTHENTICATOR_KEY, psk, NQE_AUTHENTICATOR_KEY);
	if (!HMAC(EVP_sha256(), salt, HASH_LEN, secret, sizeof(secret), keys->prk, NULL))
		err = -EIO;
	OPENSSL_cleanse(secret, sizeof(secret));
	if (!err)
		err = nqe_authenticator_expand(keys->prk, nqe_label_hello, keys->block, 2);
	if (!err)
		err = nqe_authenticator_expand(keys->prk, nqe_label_server, server_key, 1);
	return err;
}

static int nqe_authenticator_unseal(const struct nqe_hello_keys *keys, const u8 *hello, u32 len,
				    u8 *plaintext)
{
	const u32 end = RANDOM_AT + RANDOM_LEN;
	const u8 *random = hello + RANDOM_AT;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	u8 tag[TAG_LEN];
	int n, err = -EIO;

	if (!ctx)
		return -ENOMEM;
	memcpy(tag, random + NQE_AUTHENTICATOR_PLAINTEXT, TAG_LEN);
	if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, keys->block, keys->block + HASH_LEN) ==
		    1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, hello, RANDOM_AT) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, nqe_zeros, RANDOM_LEN) == 1 &&
	    EVP_DecryptUpdate(ctx, NULL, &n, hello + end, (int)(len - end)) == 1 &&
	    EVP_DecryptUpdate(ctx, plaintext, &n, random, NQE_AUTHENTICATOR_PLAINTEXT) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1)
		err = EVP_DecryptFinal_ex(ctx, plaintext + n, &n) == 1 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	return err;
}

int nqe_authenticator_open(const u8 *shared, const u8 *psk, const u8 *hello, u32 len, u8 *plaintext,
			   u8 *server_key)
{
	struct nqe_hello_keys keys;
	u8 salt[HASH_LEN];
	int err = len < RANDOM_AT + RANDOM_LEN ? -EBADMSG : 0;

	if (!err)
		err = nqe_authenticator_digest(hello, len, salt);
	if (!err)
		err = nqe_authenticator_derive(&keys, shared, psk, salt, server_key);
	if (!err)
		err = nqe_authenticator_unseal(&keys, hello, len, plaintext);
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (err) {
		OPENSSL_cleanse(plaintext, NQE_AUTHENTICATOR_PLAINTEXT);
		OPENSSL_cleanse(server_key, NQE_AUTHENTICATOR_KEY);
	}
	return err;
}

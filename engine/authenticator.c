// SPDX-License-Identifier: BSD-3-Clause
#include "authenticator.h"
#include "hello.h"
#include "hmac.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define RANDOM_END (NQE_HELLO_RANDOM_AT + NQE_HELLO_RANDOM)
#define HASH_LEN NQE_HMAC_LEN
#define TAG_LEN (NQE_HELLO_RANDOM - NQE_AUTHENTICATOR_PLAINTEXT)

static const char nqe_label_hello[] = "quic-reality v1 ch";
static const char nqe_label_server[] = "quic-reality v1 srv";
static const u8 nqe_zeros[NQE_HELLO_RANDOM];
/* The share of a hello without one: the base point (RFC 7748 section 4.1). */
static const u8 nqe_base_point[NQE_HELLO_SHARE] = { 9 };

/**
 * struct nqe_opener - see authenticator.h
 * @exchange: X25519 with the server's key
 * @peer: the public key that it is made with
 * @sha256: fetched once, as the rest: libcrypto takes longer to find them than to use them
 * @digest: of SHA-256
 * @hmac: for HKDF
 * @aes: AES-256-GCM
 * @aead: of AES-256-GCM
 * @psk: pre-shared key
 */
struct nqe_opener {
	EVP_PKEY_CTX *exchange;
	EVP_PKEY *peer;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	struct nqe_hmac *hmac;
	EVP_CIPHER *aes;
	EVP_CIPHER_CTX *aead;
	u8 psk[NQE_AUTHENTICATOR_KEY];
};

/**
 * struct nqe_hello_keys - what is derived for one hello
 * @prk: pseudorandom key (RFC 5869 section 2.2)
 * @block: key and nonce of the AEAD
 */
struct nqe_hello_keys {
	u8 prk[HASH_LEN];
	u8 block[2 * HASH_LEN];
};

static EVP_PKEY_CTX *nqe_opener_exchange(const u8 *private_key)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key,
						     NQE_AUTHENTICATOR_KEY);
	EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;

	EVP_PKEY_free(key);
	if (ctx && EVP_PKEY_derive_init(ctx) != 1) {
		EVP_PKEY_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

struct nqe_opener *nqe_opener_new(const u8 *private_key, const u8 *psk)
{
	struct nqe_opener *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	memcpy(o->psk, psk, sizeof(o->psk));
	o->exchange = nqe_opener_exchange(private_key);
	o->peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, nqe_base_point,
					      sizeof(nqe_base_point));
	o->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	o->digest = EVP_MD_CTX_new();
	o->hmac = nqe_hmac_new();
	o->aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	o->aead = EVP_CIPHER_CTX_new();
	if (o->exchange && o->peer && o->sha256 && o->digest && o->hmac && o->aes && o->aead)
		return o;
	nqe_opener_free(o);
	return NULL;
}

void nqe_opener_free(struct nqe_opener *o)
{
	/* libcrypto cleanses the keys of what it frees. */
	EVP_PKEY_CTX_free(o->exchange);
	EVP_PKEY_free(o->peer);
	EVP_MD_CTX_free(o->digest);
	EVP_MD_free(o->sha256);
	nqe_hmac_free(o->hmac);
	EVP_CIPHER_CTX_free(o->aead);
	EVP_CIPHER_free(o->aes);
	OPENSSL_cleanse(o->psk, sizeof(o->psk));
	free(o);
}

struct nqe_hmac *nqe_opener_hmac(struct nqe_opener *o)
{
	return o->hmac;
}

static bool nqe_opener_try_share(struct nqe_opener *o, const u8 *share, u8 *shared)
{
	size_t len = NQE_AUTHENTICATOR_KEY;
	bool usable;

	/* RFC 7748 section 6.1: an error when all is done, where zeros came out. */
	ERR_set_mark();
	usable = EVP_PKEY_set1_encoded_public_key(o->peer, share, NQE_HELLO_SHARE) == 1 &&
		 EVP_PKEY_derive_set_peer_ex(o->exchange, o->peer, 0) == 1 &&
		 EVP_PKEY_derive(o->exchange, shared, &len) == 1;
	ERR_pop_to_mark();
	return usable;
}

/* The hello with zeros in place of random. */
static int nqe_authenticator_digest(struct nqe_opener *o, const u8 *hello, u32 len, u8 *digest)
{
	return EVP_DigestInit_ex2(o->digest, o->sha256, NULL) == 1 &&
			       EVP_DigestUpdate(o->digest, hello, NQE_HELLO_RANDOM_AT) == 1 &&
			       EVP_DigestUpdate(o->digest, nqe_zeros, NQE_HELLO_RANDOM) == 1 &&
			       EVP_DigestUpdate(o->digest, hello + RANDOM_END, len - RANDOM_END) ==
				       1 &&
			       EVP_DigestFinal_ex(o->digest, digest, NULL) == 1
		       ? 0
		       : -EIO;
}

/* HKDF-Expand (RFC 5869 section 2.3), @blocks times a hash long. */
static int nqe_authenticator_expand(struct nqe_opener *o, const u8 *prk, const char *label, u8 *out,
				    u32 blocks)
{
	u8 text[HASH_LEN + sizeof(nqe_label_server) + 1];
	u32 before = 0, label_len = (u32)strlen(label), i;
	int err = 0;

	for (i = 0; i < blocks && !err; i++) {
		memcpy(text + before, label, label_len);
		text[before + label_len] = (u8)(i + 1);
		err = nqe_hmac(o->hmac, prk, HASH_LEN, text, before + label_len + 1,
			       out + i * HASH_LEN);
		memcpy(text, out + i * HASH_LEN, HASH_LEN);
		before = HASH_LEN;
	}
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

static int nqe_authenticator_derive(struct nqe_opener *o, struct nqe_hello_keys *keys,
				    const u8 *shared, const u8 *salt, u8 *server_key)
{
	u8 secret[2 * NQE_AUTHENTICATOR_KEY];
	int err;

	memcpy(secret, shared, NQE_AUTHENTICATOR_KEY);
	memcpy(secret + NQE_AUTHENTICATOR_KEY, o->psk, NQE_AUTHENTICATOR_KEY);
	err = nqe_hmac(o->hmac, salt, HASH_LEN, secret, sizeof(secret), keys->prk);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (!err)
		err = nqe_authenticator_expand(o, keys->prk, nqe_label_hello, keys->block, 2);
	if (!err)
		err = nqe_authenticator_expand(o, keys->prk, nqe_label_server, server_key, 1);
	return err;
}

static int nqe_authenticator_unseal(struct nqe_opener *o, const struct nqe_hello_keys *keys,
				    const u8 *hello, u32 len, u8 *plaintext)
{
	const u8 *random = hello + NQE_HELLO_RANDOM_AT;
	const u8 *nonce = keys->block + HASH_LEN;
	u8 tag[TAG_LEN];
	int n;

	memcpy(tag, random + NQE_AUTHENTICATOR_PLAINTEXT, TAG_LEN);
	if (EVP_DecryptInit_ex2(o->aead, o->aes, keys->block, nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(o->aead, NULL, &n, hello, NQE_HELLO_RANDOM_AT) != 1 ||
	    EVP_DecryptUpdate(o->aead, NULL, &n, nqe_zeros, NQE_HELLO_RANDOM) != 1 ||
	    EVP_DecryptUpdate(o->aead, NULL, &n, hello + RANDOM_END, (int)(len - RANDOM_END)) !=
		    1 ||
	    EVP_DecryptUpdate(o->aead, plaintext, &n, random, NQE_AUTHENTICATOR_PLAINTEXT) != 1 ||
	    EVP_CIPHER_CTX_ctrl(o->aead, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1)
		return -EIO;
	return EVP_DecryptFinal_ex(o->aead, plaintext + n, &n) == 1 ? 0 : -EBADMSG;
}

int nqe_authenticator_open(struct nqe_opener *o, const u8 *hello, u32 len, u8 *plaintext,
			   u8 *server_key)
{
	const u8 *share = nqe_hello_share(hello, len);
	u8 shared[NQE_AUTHENTICATOR_KEY] = { 0 };
	struct nqe_hello_keys keys;
	u8 salt[HASH_LEN];
	bool usable;
	int err;

	usable = nqe_opener_try_share(o, share ? share : nqe_base_point, shared) && share;
	err = len < RANDOM_END ? -EBADMSG : nqe_authenticator_digest(o, hello, len, salt);
	if (!err)
		err = nqe_authenticator_derive(o, &keys, shared, salt, server_key);
	if (!err)
		err = nqe_authenticator_unseal(o, &keys, hello, len, plaintext);
	OPENSSL_cleanse(shared, sizeof(shared));
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (!usable)
		err = -ENOKEY;
	if (err) {
		OPENSSL_cleanse(plaintext, NQE_AUTHENTICATOR_PLAINTEXT);
		OPENSSL_cleanse(server_key, NQE_AUTHENTICATOR_KEY);
	}
	return err;
}

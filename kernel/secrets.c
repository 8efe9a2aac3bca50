// SPDX-License-Identifier: GPL-2.0
/*
 * Traffic secrets.
 *
 * RFC 9001 section 5.1: keys are made of a secret by HKDF-Expand-Label (RFC 8446 section 7.1) with an
 * empty context. All that is made here fits one block of the hash, so that HKDF-Expand (RFC 5869 section
 * 2.3) is one HMAC over the label and the byte 1.
 */
#include <crypto/hash.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "keyring.h"
#include "secrets.h"

#define NQD_SECRETS_PREFIX "tls13 "
/* Length, the label with its own length, an empty context, the block number. */
#define NQD_SECRETS_INFO_MAX (2 + 1 + 16 + 1 + 1)

/**
 * struct nqd_secrets - newest traffic secrets of both directions
 * @suite: cipher suite
 * @hmac: HMAC with the hash of the suite; keyed anew by each use
 * @generation: of each secret, by enum nqd_keys_dir
 * @secret: by enum nqd_keys_dir
 */
struct nqd_secrets {
	const struct nqd_suite *suite;
	struct crypto_shash *hmac;
	u64 generation[2];
	u8 secret[2][NQD_SECRET_MAX_LEN];
};

static int nqd_secrets_expand(const struct nqd_secrets *secrets, const u8 *secret, const char *label, u8 *out,
			      u32 len)
{
	u32 label_len = strlen(label), size = 0;
	u8 info[NQD_SECRETS_INFO_MAX];
	u8 block[NQD_SECRET_MAX_LEN];
	int err;

	if (WARN_ON_ONCE(label_len > 10 || len > secrets->suite->secret_len))
		return -EINVAL;
	put_unaligned_be16(len, info);
	info[2] = strlen(NQD_SECRETS_PREFIX) + label_len;
	memcpy(info + 3, NQD_SECRETS_PREFIX, strlen(NQD_SECRETS_PREFIX));
	size = 3 + strlen(NQD_SECRETS_PREFIX);
	memcpy(info + size, label, label_len);
	size += label_len;
	info[size++] = 0;
	info[size++] = 1;

	err = crypto_shash_setkey(secrets->hmac, secret, secrets->suite->secret_len);
	if (!err)
		err = crypto_shash_tfm_digest(secrets->hmac, info, size, block);
	if (!err)
		memcpy(out, block, len);
	memzero_explicit(block, sizeof(block));
	return err;
}

static struct nqd_key *nqd_secrets_make(const struct nqd_secrets *secrets, const u8 *secret, u64 generation,
					const char **why)
{
	struct nqd_packet_key raw = {};
	struct nqd_key *key;
	int err;

	err = nqd_secrets_expand(secrets, secret, "quic key", raw.key, secrets->suite->key_len);
	if (!err)
		err = nqd_secrets_expand(secrets, secret, "quic iv", raw.iv, sizeof(raw.iv));
	if (err) {
		*why = "keys cannot be derived";
		key = ERR_PTR(err);
	} else {
		key = nqd_key_alloc(secrets->suite, &raw, generation, why);
	}
	memzero_explicit(&raw, sizeof(raw));
	return key;
}

static int nqd_secrets_check(const struct nqd_suite *suite, const struct nqd_traffic_secret *from,
			     const char **why)
{
	if (from->len != suite->secret_len) {
		*why = "a traffic secret is not as long as the hash of the cipher suite";
		return -EINVAL;
	}
	if (from->pad || memchr_inv(from->secret + from->len, 0, sizeof(from->secret) - from->len)) {
		*why = "a traffic secret has bytes beyond its length";
		return -EINVAL;
	}
	return 0;
}

/**
 * nqd_secrets_alloc() - take traffic secrets
 * @suite: cipher suite
 * @rx: of what comes
 * @tx: of what goes
 * @generation: of both
 * @why: set to the reason of a refusal
 *
 * Context: may sleep.
 *
 * Return: secrets, to be freed by nqd_secrets_free(), or an error pointer.
 */
struct nqd_secrets *nqd_secrets_alloc(const struct nqd_suite *suite, const struct nqd_traffic_secret *rx,
				      const struct nqd_traffic_secret *tx, u64 generation, const char **why)
{
	struct nqd_secrets *secrets = kzalloc(sizeof(*secrets), GFP_KERNEL);
	int err;

	if (!secrets) {
		*why = "no memory for traffic secrets";
		return ERR_PTR(-ENOMEM);
	}
	err = nqd_secrets_check(suite, rx, why);
	if (!err)
		err = nqd_secrets_check(suite, tx, why);
	if (err) {
		kfree(secrets);
		return ERR_PTR(err);
	}
	secrets->suite = suite;
	secrets->hmac = crypto_alloc_shash(suite->hmac, 0, 0);
	if (IS_ERR(secrets->hmac)) {
		err = PTR_ERR(secrets->hmac);
		kfree(secrets);
		if (err == -ENOMEM) {
			*why = "no memory for the hash of the cipher suite";
			return ERR_PTR(err);
		}
		*why = "the kernel has no hash for the cipher suite: traffic secrets cannot be installed";
		return ERR_PTR(-EOPNOTSUPP);
	}
	secrets->generation[NQD_KEYS_RX] = generation;
	secrets->generation[NQD_KEYS_TX] = generation;
	memcpy(secrets->secret[NQD_KEYS_RX], rx->secret, suite->secret_len);
	memcpy(secrets->secret[NQD_KEYS_TX], tx->secret, suite->secret_len);
	return secrets;
}

/**
 * nqd_secrets_free() - wipe and free secrets
 * @secrets: secrets or NULL
 */
void nqd_secrets_free(struct nqd_secrets *secrets)
{
	if (!secrets)
		return;
	crypto_free_shash(secrets->hmac);
	kfree_sensitive(secrets);
}

/**
 * nqd_secrets_key() - packet protection key of the newest secret of a direction
 * @secrets: secrets
 * @dir: direction
 * @why: set to the reason of an error
 *
 * Context: may sleep.
 *
 * Return: a key with one reference, or an error pointer.
 */
struct nqd_key *nqd_secrets_key(const struct nqd_secrets *secrets, enum nqd_keys_dir dir, const char **why)
{
	return nqd_secrets_make(secrets, secrets->secret[dir], secrets->generation[dir], why);
}

/**
 * nqd_secrets_next() - one key update (RFC 9001 section 6.1): the next secret takes the place of this one
 * @secrets: secrets
 * @dir: direction
 * @why: set to the reason of an error
 *
 * Context: may sleep.
 *
 * Return: a key of the next generation with one reference, or an error pointer and nothing has changed.
 */
struct nqd_key *nqd_secrets_next(struct nqd_secrets *secrets, enum nqd_keys_dir dir, const char **why)
{
	u8 next[NQD_SECRET_MAX_LEN];
	struct nqd_key *key;
	int err;

	err = nqd_secrets_expand(secrets, secrets->secret[dir], "quic ku", next, secrets->suite->secret_len);
	if (err) {
		*why = "the next traffic secret cannot be derived";
		return ERR_PTR(err);
	}
	key = nqd_secrets_make(secrets, next, secrets->generation[dir] + 1, why);
	if (!IS_ERR(key)) {
		memcpy(secrets->secret[dir], next, secrets->suite->secret_len);
		secrets->generation[dir]++;
	}
	memzero_explicit(next, sizeof(next));
	return key;
}

/**
 * nqd_secrets_previous() - key of the RX generation before
 * @secrets: secrets as they were installed
 * @previous: traffic secret of that generation
 * @why: set to the reason of an error
 *
 * Context: may sleep.
 *
 * Return: a key with one reference, or an error pointer.
 */
struct nqd_key *nqd_secrets_previous(const struct nqd_secrets *secrets,
				     const struct nqd_traffic_secret *previous,
				     const char **why)
{
	int err = nqd_secrets_check(secrets->suite, previous, why);

	if (err)
		return ERR_PTR(err);
	return nqd_secrets_make(secrets, previous->secret, secrets->generation[NQD_KEYS_RX] - 1, why);
}

/**
 * nqd_secrets_generation() - generation of the newest secret
 * @secrets: secrets
 * @dir: direction
 *
 * Return: a generation.
 */
u64 nqd_secrets_generation(const struct nqd_secrets *secrets, enum nqd_keys_dir dir)
{
	return secrets->generation[dir];
}

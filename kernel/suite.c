// SPDX-License-Identifier: GPL-2.0
/*
 * Cipher suites.
 */
#include <crypto/aead.h>
#include <crypto/hash.h>
#include <linux/err.h>
#include <linux/string.h>

#include "suite.h"

const struct nqd_suite nqd_suites[NQD_SUITES] = {
	{ NQD_CIPHER_SUITE_AES_128_GCM_SHA256, 16, "gcm(aes)", 32, "hmac(sha256)", false },
	{ NQD_CIPHER_SUITE_AES_256_GCM_SHA384, 32, "gcm(aes)", 48, "hmac(sha384)", false },
	{ NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256, 32, "rfc7539(chacha20,poly1305)", 32, "hmac(sha256)",
	  true },
};

/**
 * nqd_suite_find() - find a cipher suite
 * @suite: TLS code point
 *
 * Return: the suite, or NULL where it is not known here.
 */
const struct nqd_suite *nqd_suite_find(u32 suite)
{
	unsigned int i;

	for (i = 0; i < NQD_SUITES; i++)
		if (nqd_suites[i].suite == suite)
			return &nqd_suites[i];
	return NULL;
}

/**
 * nqd_suite_driver() - which driver the kernel has chosen for a suite
 * @suite: cipher suite
 * @driver: where its name goes
 * @size: bytes there
 * @asynchronous: set to whether it may complete later
 *
 * Context: may sleep, may load modules.
 *
 * Return: 0, or a negative error where this kernel cannot do the suite.
 */
int nqd_suite_driver(const struct nqd_suite *suite, char *driver, size_t size, bool *asynchronous)
{
	struct crypto_aead *aead = crypto_alloc_aead(suite->aead, 0, 0);

	if (IS_ERR(aead))
		return PTR_ERR(aead);
	strscpy(driver, crypto_tfm_alg_driver_name(crypto_aead_tfm(aead)), size);
	*asynchronous = crypto_aead_alg(aead)->base.cra_flags & CRYPTO_ALG_ASYNC;
	crypto_free_aead(aead);
	return 0;
}

/**
 * nqd_suite_has_hash() - can keys of a suite be derived from traffic secrets here?
 * @suite: cipher suite
 *
 * Context: may sleep, may load modules.
 *
 * Return: 1 or 0, or -ENOMEM.
 */
int nqd_suite_has_hash(const struct nqd_suite *suite)
{
	struct crypto_shash *hmac = crypto_alloc_shash(suite->hmac, 0, 0);

	if (IS_ERR(hmac))
		return PTR_ERR(hmac) == -ENOMEM ? -ENOMEM : 0;
	crypto_free_shash(hmac);
	return 1;
}

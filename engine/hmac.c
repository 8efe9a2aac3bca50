// SPDX-License-Identifier: BSD-3-Clause
#include "hmac.h"

#include <linux/errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

/**
 * struct nqe_hmac - see hmac.h
 * @ctx: knows its hash, and the key of the last time
 */
struct nqe_hmac {
	EVP_MAC_CTX *ctx;
};

struct nqe_hmac *nqe_hmac_new(void)
{
	char name[] = "SHA256";
	const OSSL_PARAM hash[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	struct nqe_hmac *h = calloc(1, sizeof(*h));
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (h && mac)
		h->ctx = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (h && h->ctx && EVP_MAC_CTX_set_params(h->ctx, hash) == 1)
		return h;
	nqe_hmac_free(h);
	return NULL;
}

void nqe_hmac_free(struct nqe_hmac *h)
{
	if (h)
		EVP_MAC_CTX_free(h->ctx);
	free(h);
}

int nqe_hmac(struct nqe_hmac *h, const u8 *key, u32 key_len, const u8 *text, u32 len, u8 *out)
{
	size_t n;

	if (EVP_MAC_init(h->ctx, key, key_len, NULL) != 1 ||
	    EVP_MAC_update(h->ctx, text, len) != 1 ||
	    EVP_MAC_final(h->ctx, out, &n, NQE_HMAC_LEN) != 1)
		return -EIO;
	return 0;
}

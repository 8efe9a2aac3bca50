// SPDX-License-Identifier: BSD-3-Clause
#include "initial.h"
#include "crypto.h"

#include <linux/errno.h>
#include <linux/string.h>

#define NQE_INITIAL_SAMPLE_OFFSET 4 /* from the packet number on (RFC 9001 section 5.4.2) */
#define NQE_INITIAL_LONG_BITS 0x0f /* of the first byte, protected (RFC 9001 section 5.4.1) */

static int nqe_initial_keys(struct nqe_crypto *crypto, const u8 *dcid, u32 dcid_len,
			    bool from_client)
{
	const u32 suite = NQD_CIPHER_SUITE_AES_128_GCM_SHA256;
	u8 secret[NQE_CRYPTO_MAX_SECRET], key[NQE_CRYPTO_MAX_KEY], hp[NQE_CRYPTO_MAX_KEY];
	u8 iv[NQE_CRYPTO_IV];
	u32 len = nqe_crypto_key_len(suite);
	int err;

	err = nqe_crypto_initial_secret(dcid, dcid_len, from_client, secret);
	if (!err)
		err = nqe_crypto_derive(suite, secret, key, iv, hp);
	if (!err)
		err = nqe_crypto_init(crypto, suite, false, hp, len);
	if (!err)
		err = nqe_crypto_install(crypto, 0, key, len, iv);
	return err;
}

static int nqe_initial_unprotect(struct nqe_crypto *crypto, u8 *packet, u32 pn_offset, u32 len,
				 u64 *pn)
{
	u8 sample[NQE_CRYPTO_SAMPLE], mask[NQE_CRYPTO_SAMPLE];
	u32 at = pn_offset + NQE_INITIAL_SAMPLE_OFFSET, pn_len, i;

	if (len < at + NQE_CRYPTO_SAMPLE)
		return -EBADMSG;
	memcpy(sample, packet + at, sizeof(sample));
	if (nqe_crypto_masks(crypto, sample, mask, 1))
		return -EIO;
	packet[0] ^= mask[0] & NQE_INITIAL_LONG_BITS;
	pn_len = (packet[0] & 3) + 1;
	*pn = 0;
	for (i = 0; i < pn_len; i++) {
		packet[pn_offset + i] ^= mask[1 + i];
		*pn = *pn << 8 | packet[pn_offset + i];
	}
	return (int)(pn_offset + pn_len);
}

int nqe_initial_open(const u8 *dcid, u32 dcid_len, bool from_client, u8 *packet, u32 pn_offset,
		     u32 len, u64 *pn)
{
	struct nqe_crypto crypto = { 0 };
	int err, header = 0;

	err = nqe_initial_keys(&crypto, dcid, dcid_len, from_client);
	if (!err)
		header = nqe_initial_unprotect(&crypto, packet, pn_offset, len, pn);
	if (header > 0)
		err = nqe_crypto_open(&crypto, 0, *pn, packet, (u32)header, len);
	nqe_crypto_free(&crypto);
	if (err)
		return err;
	return header;
}

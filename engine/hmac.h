/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HMAC-SHA256 for those who need a few at a time, as the key schedule of an Initial does: libcrypto
 * takes longer to find what its one-shot function needs than to use it.
 */
#ifndef NQE_HMAC_H
#define NQE_HMAC_H

#include <linux/types.h>

#define NQE_HMAC_LEN 32

/* What libcrypto needs; one thread at a time. */
struct nqe_hmac;

/* NULL where libcrypto fails. */
struct nqe_hmac *nqe_hmac_new(void);
/* Wipes it. */
void nqe_hmac_free(struct nqe_hmac *h);

/**
 * nqe_hmac - HMAC-SHA256 (RFC 2104)
 * @h: of nqe_hmac_new()
 * @key: the key
 * @key_len: its bytes
 * @text: what it is made of
 * @len: bytes of that
 * @out: NQE_HMAC_LEN bytes
 *
 * Return: 0, or -EIO where libcrypto fails.
 */
int nqe_hmac(struct nqe_hmac *h, const u8 *key, u32 key_len, const u8 *text, u32 len, u8 *out);

#endif

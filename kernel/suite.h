/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cipher suites of RFC 9001 section 5.3, and what the kernel calls their algorithms.
 */
#ifndef _NQD_SUITE_H
#define _NQD_SUITE_H

#include <linux/types.h>

#include "uapi/nexus_quic_dco.h"

#define NQD_SUITES 3

/**
 * struct nqd_suite - a cipher suite
 * @suite: its TLS code point
 * @key_len: bytes of a packet protection key, and of a header protection key
 * @aead: the kernel's name of its AEAD with a nonce of 96 bits and a tag of 128
 * @secret_len: bytes of a traffic secret: of its hash
 * @hmac: the kernel's name of HMAC with that hash
 * @chacha20: header protection is by ChaCha20, not by AES (RFC 9001 section 5.4)
 */
struct nqd_suite {
	enum nqd_cipher_suite suite;
	u32 key_len;
	const char *aead;
	u32 secret_len;
	const char *hmac;
	bool chacha20;
};

extern const struct nqd_suite nqd_suites[NQD_SUITES];

const struct nqd_suite *nqd_suite_find(u32 suite);
int nqd_suite_has_hash(const struct nqd_suite *suite);
int nqd_suite_driver(const struct nqd_suite *suite, char *driver, size_t size, bool *asynchronous);

#endif /* _NQD_SUITE_H */

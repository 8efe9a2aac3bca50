/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a genuine client of a server in mode reality hides in ClientHello.random; the construction is
 * in src/nexusnet/reality/authenticator.py, which seals it.
 */
#ifndef NQE_AUTHENTICATOR_H
#define NQE_AUTHENTICATOR_H

#include "hmac.h"

#define NQE_AUTHENTICATOR_KEY 32
#define NQE_AUTHENTICATOR_PLAINTEXT 16

/* A server's secrets, with what libcrypto needs to use them; one thread at a time. */
struct nqe_opener;

/**
 * nqe_opener_new - make an opener
 * @private_key: the server's of X25519, NQE_AUTHENTICATOR_KEY bytes, copied
 * @psk: pre-shared key, or zeros, likewise
 *
 * Return: NULL where libcrypto fails.
 */
struct nqe_opener *nqe_opener_new(const u8 *private_key, const u8 *psk);
/* Wipes it. */
void nqe_opener_free(struct nqe_opener *o);
/* The opener's own, for others while it rests. */
struct nqe_hmac *nqe_opener_hmac(struct nqe_opener *o);

/**
 * nqe_authenticator_open - open the authenticator of a ClientHello
 * @o: opener
 * @hello: the handshake message with its random
 * @len: its bytes
 * @plaintext: NQE_AUTHENTICATOR_PLAINTEXT bytes, out
 * @server_key: key of the server's proof, NQE_AUTHENTICATOR_KEY bytes, out
 *
 * One key exchange, two hashes, an AEAD: the work depends on @len, and on the way to the share, but
 * not on who sent the hello. One without a usable share is worked on with a made-up one.
 *
 * Return: 0; -ENOKEY: no usable share; -EBADMSG: not authentic, or too short to be; -EIO where
 * libcrypto fails. Then both results are zeros.
 */
int nqe_authenticator_open(struct nqe_opener *o, const u8 *hello, u32 len, u8 *plaintext,
			   u8 *server_key);

#endif

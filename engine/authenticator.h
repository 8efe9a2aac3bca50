/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a genuine client of a server in mode reality hides in ClientHello.random; the construction is
 * in src/nexusnet/reality/authenticator.py, which seals it.
 */
#ifndef NQE_AUTHENTICATOR_H
#define NQE_AUTHENTICATOR_H

#include <linux/types.h>

#define NQE_AUTHENTICATOR_KEY 32
#define NQE_AUTHENTICATOR_PLAINTEXT 16

/**
 * nqe_authenticator_open - open the authenticator of a ClientHello
 * @shared: X25519 of its share and the server's static key, NQE_AUTHENTICATOR_KEY bytes
 * @psk: pre-shared key, or zeros, likewise
 * @hello: the handshake message with its random
 * @len: its bytes
 * @plaintext: NQE_AUTHENTICATOR_PLAINTEXT bytes, out
 * @server_key: key of the server's proof, NQE_AUTHENTICATOR_KEY bytes, out
 *
 * The work depends on @len alone, and on nothing that is in the hello.
 *
 * Return: 0; -EBADMSG: not authentic, or too short to be; -EIO or -ENOMEM where libcrypto fails.
 * Then both results are zeros.
 */
int nqe_authenticator_open(const u8 *shared, const u8 *psk, const u8 *hello, u32 len, u8 *plaintext,
			   u8 *server_key);

#endif

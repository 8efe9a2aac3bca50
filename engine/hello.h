/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As much of a ClientHello as it takes to open its authenticator: where it stands in an Initial, and
 * its X25519 share. Whether all the rest is well-formed, user space looks when the authenticator is
 * valid, see src/nexusnet/reality/client_hello.py.
 */
#ifndef NQE_HELLO_H
#define NQE_HELLO_H

#include <linux/types.h>

#define NQE_HELLO_SHARE 32
#define NQE_HELLO_RANDOM_AT 6 /* RFC 8446 section 4.1.2: after type, length and legacy_version */
#define NQE_HELLO_RANDOM 32

/**
 * nqe_hello_find - a ClientHello that stands whole in the first CRYPTO frame of an Initial
 * @payload: frames of the Initial
 * @len: bytes of these
 * @hello_len: bytes of the hello, out
 *
 * No frame but PADDING and PING comes before it, and the CRYPTO frame holds it and nothing else: then
 * it is the hello, whatever follows (RFC 9000 section 2.2: the data at an offset never changes).
 *
 * Return: the handshake message, in @payload, with room for a random at least; NULL: it is in pieces,
 * or none.
 */
const u8 *nqe_hello_find(const u8 *payload, u32 len, u32 *hello_len);

/**
 * nqe_hello_share - the X25519 share that a ClientHello's authenticator is bound to
 * @hello: the handshake message
 * @len: its bytes
 *
 * The share of group X25519, else the last bytes of one of X25519MLKEM768.
 *
 * Return: NQE_HELLO_SHARE bytes in @hello; NULL: there is none that can be found.
 */
const u8 *nqe_hello_share(const u8 *hello, u32 len);

#endif

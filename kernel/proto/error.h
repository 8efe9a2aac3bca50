/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* Transport error codes, as CONNECTION_CLOSE carries them. */
#ifndef _NQD_PROTO_ERROR_H
#define _NQD_PROTO_ERROR_H

/**
 * enum nqd_quic_error - RFC 9000 section 20.1: transport error codes
 * @NQD_QUIC_NO_ERROR: closed without an error
 * @NQD_QUIC_INTERNAL_ERROR: this end cannot go on
 * @NQD_QUIC_CONNECTION_REFUSED: the server refused the connection
 * @NQD_QUIC_FLOW_CONTROL_ERROR: more data than was permitted
 * @NQD_QUIC_STREAM_LIMIT_ERROR: a stream above the limit
 * @NQD_QUIC_STREAM_STATE_ERROR: a frame that the state of its stream forbids
 * @NQD_QUIC_FINAL_SIZE_ERROR: the final size of a stream changed
 * @NQD_QUIC_FRAME_ENCODING_ERROR: a malformed frame
 * @NQD_QUIC_TRANSPORT_PARAMETER_ERROR: a malformed or invalid transport parameter
 * @NQD_QUIC_CONNECTION_ID_LIMIT_ERROR: more connection IDs than were permitted
 * @NQD_QUIC_PROTOCOL_VIOLATION: anything that no better code covers
 * @NQD_QUIC_INVALID_TOKEN: an Initial packet with an invalid token
 * @NQD_QUIC_APPLICATION_ERROR: the application closed the connection
 * @NQD_QUIC_CRYPTO_BUFFER_EXCEEDED: more CRYPTO data than can be buffered
 * @NQD_QUIC_KEY_UPDATE_ERROR: a wrongly performed key update
 * @NQD_QUIC_AEAD_LIMIT_REACHED: the confidentiality or integrity limit of the AEAD is reached
 * @NQD_QUIC_NO_VIABLE_PATH: no path to the peer works
 */
enum nqd_quic_error {
	NQD_QUIC_NO_ERROR = 0x00,
	NQD_QUIC_INTERNAL_ERROR = 0x01,
	NQD_QUIC_CONNECTION_REFUSED = 0x02,
	NQD_QUIC_FLOW_CONTROL_ERROR = 0x03,
	NQD_QUIC_STREAM_LIMIT_ERROR = 0x04,
	NQD_QUIC_STREAM_STATE_ERROR = 0x05,
	NQD_QUIC_FINAL_SIZE_ERROR = 0x06,
	NQD_QUIC_FRAME_ENCODING_ERROR = 0x07,
	NQD_QUIC_TRANSPORT_PARAMETER_ERROR = 0x08,
	NQD_QUIC_CONNECTION_ID_LIMIT_ERROR = 0x09,
	NQD_QUIC_PROTOCOL_VIOLATION = 0x0a,
	NQD_QUIC_INVALID_TOKEN = 0x0b,
	NQD_QUIC_APPLICATION_ERROR = 0x0c,
	NQD_QUIC_CRYPTO_BUFFER_EXCEEDED = 0x0d,
	NQD_QUIC_KEY_UPDATE_ERROR = 0x0e,
	NQD_QUIC_AEAD_LIMIT_REACHED = 0x0f,
	NQD_QUIC_NO_VIABLE_PATH = 0x10,
};

#endif

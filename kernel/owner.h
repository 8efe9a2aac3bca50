/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events with a payload for the owner of a device: unicast, numbered for each session, kept until
 * EVENT_ACK names them, and sent again after an adoption.
 */
#ifndef _NQD_OWNER_H
#define _NQD_OWNER_H

#include <linux/list.h>
#include <linux/types.h>

struct nqd_session;

/**
 * struct nqd_owner_event - one event
 * @node: in the queue of the session, by @id
 * @id: number, rising from 1 for each session
 * @command: NQD_EVENT_FRAMES_RECEIVED and so on
 * @sent: the owner's socket has taken it
 * @has_token: @token is to be told
 * @token: of the caller of SEND_FRAMES
 * @pn: packet number that carried the frames, or NQD_PN_NONE
 * @losses: how often the frames were lost
 * @context: L3PTP context of a datagram
 * @len: bytes of @bytes
 * @bytes: frames or payload
 */
struct nqd_owner_event {
	struct list_head node;
	u64 id;
	u8 command;
	bool sent;
	bool has_token;
	u64 token;
	u64 pn;
	u32 losses;
	u64 context;
	u32 len;
	u8 bytes[] __counted_by(len);
};

/**
 * struct nqd_owner_blob - frames of SEND_FRAMES until they are acknowledged or finally lost
 * @event: tells which of both, without an allocation; given away then
 * @len: bytes of @bytes
 * @bytes: the frames
 */
struct nqd_owner_blob {
	struct nqd_owner_event *event;
	u32 len;
	u8 bytes[] __counted_by(len);
};

/**
 * struct nqd_owner - events of one session; protected by nqd_session.lock
 * @queue: not acknowledged yet, oldest first
 * @count: their number
 * @last_id: number of the newest one that there was
 */
struct nqd_owner {
	struct list_head queue;
	u32 count;
	u64 last_id;
};

struct nqd_owner_blob *nqd_owner_blob_alloc(const u8 *bytes, u32 len, bool has_token, u64 token);
void nqd_owner_blob_free(struct nqd_owner_blob *blob);
void nqd_owner_blobs_done(struct nqd_session *s);
int nqd_owner_ack(struct nqd_session *s, u64 id);
void nqd_owner_resend(struct nqd_session *s);
void nqd_owner_retry(struct nqd_session *s);
struct nqd_owner_event *nqd_owner_frames_alloc(u32 len);
void nqd_owner_frames(struct nqd_session *s, struct nqd_owner_event *event);
bool nqd_owner_datagram(struct nqd_session *s, u64 context, const u8 *bytes, u32 len);

/**
 * nqd_owner_room() - is there room for one more event with a payload of the peer?
 * @owner: of a session, with its lock held
 *
 * Return: bytes that it may have, 0: none.
 */
static inline u32 nqd_owner_room(const struct nqd_owner *owner)
{
	return owner->count < NQD_EVENT_QUEUE_LEN ? NQD_DATAGRAM_MAX_LEN : 0;
}

#endif /* _NQD_OWNER_H */

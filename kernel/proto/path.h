/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Path validation and the anti-amplification limit (RFC 9000 sections 8 and 9).
 *
 * A session has the active path and at most one candidate: a peer address seen in an authentic packet,
 * or one that the owner wants to try. Addresses stay with the home; here a path is an index.
 */
#ifndef _NQD_PROTO_PATH_H
#define _NQD_PROTO_PATH_H

#include "base.h"
#include "frame.h"

#define NQD_PATH_CHALLENGES 3
#define NQD_PATH_RESPONSES 4

/**
 * enum nqd_path_index - which path a packet came from or goes to
 * @NQD_PATH_ACTIVE: the validated one
 * @NQD_PATH_CANDIDATE: the one being validated
 */
enum nqd_path_index {
	NQD_PATH_ACTIVE,
	NQD_PATH_CANDIDATE,
};

/**
 * enum nqd_path_validation - progress of a validation
 * @NQD_PATH_IDLE: none was started, or it was given up
 * @NQD_PATH_VALIDATING: challenges are out
 * @NQD_PATH_VALIDATED: the peer answered
 * @NQD_PATH_FAILED: it did not in time
 */
enum nqd_path_validation {
	NQD_PATH_IDLE,
	NQD_PATH_VALIDATING,
	NQD_PATH_VALIDATED,
	NQD_PATH_FAILED,
};

/**
 * struct nqd_path_response - a PATH_RESPONSE that must be sent
 * @data: bytes of the PATH_CHALLENGE
 * @path: path that it came from (RFC 9000 section 8.2.2: the answer takes the same)
 */
struct nqd_path_response {
	u8 data[NQD_PATH_DATA_LEN];
	u8 path;
};

/**
 * struct nqd_path - both roles: asking and answering
 * @validation: progress of our validation
 * @target: path being validated
 * @data: unpredictable bytes of each of our challenges, given by the home
 * @sent: challenges sent
 * @next_at: when the next challenge leaves, NQD_TIME_NEVER when all are out
 * @fail_at: when the validation fails
 * @interval: time between challenges, ns
 * @responses: answers waiting to be sent
 * @responses_count: entries of @responses in use
 * @candidate_received: bytes of datagrams received from the candidate
 * @candidate_sent: bytes sent to it
 * @responses_dropped: challenges that found @responses full
 */
struct nqd_path {
	enum nqd_path_validation validation;
	u8 target;
	u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN];
	u8 sent;
	u64 next_at;
	u64 fail_at;
	u64 interval;
	struct nqd_path_response responses[NQD_PATH_RESPONSES];
	u8 responses_count;
	u64 candidate_received;
	u64 candidate_sent;
	u64 responses_dropped;
};

void nqd_path_init(struct nqd_path *p);
int nqd_path_validate(struct nqd_path *p, enum nqd_path_index target,
		      const u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN], u64 now, u64 pto);
void nqd_path_abandon(struct nqd_path *p);
bool nqd_path_challenge_due(const struct nqd_path *p, u64 now);
const u8 *nqd_path_challenge_sent(struct nqd_path *p, u64 now);
void nqd_path_challenge_deferred(struct nqd_path *p, u64 now);
bool nqd_path_on_response(struct nqd_path *p, const u8 data[NQD_PATH_DATA_LEN]);
void nqd_path_on_challenge(struct nqd_path *p, enum nqd_path_index from,
			   const u8 data[NQD_PATH_DATA_LEN]);
int nqd_path_response_next(struct nqd_path *p, u32 size, struct nqd_path_response *response);
bool nqd_path_on_timer(struct nqd_path *p, u64 now);
void nqd_path_candidate_received(struct nqd_path *p, u32 size);
void nqd_path_candidate_sent(struct nqd_path *p, u32 size);
u64 nqd_path_allowance(const struct nqd_path *p, enum nqd_path_index to);

/**
 * nqd_path_deadline() - when a challenge is due or the validation fails
 * @p: path state
 *
 * Return: a time, or NQD_TIME_NEVER.
 */
static inline u64 nqd_path_deadline(const struct nqd_path *p)
{
	return p->validation == NQD_PATH_VALIDATING ? min(p->next_at, p->fail_at) : NQD_TIME_NEVER;
}

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * Path validation and anti-amplification (RFC 9000 sections 8 and 9).
 */
#include "path.h"

/* RFC 9002 section 6.2.2: the PTO of a path without an RTT sample: three times 333 ms. */
#define NQD_PATH_INITIAL_PTO (999 * NSEC_PER_MSEC)
/* RFC 9000 section 8.1: bytes sent to an unvalidated address, for each byte received from it. */
#define NQD_PATH_AMPLIFICATION 3

/**
 * nqd_path_init() - no validation, no candidate
 * @p: path state
 */
void nqd_path_init(struct nqd_path *p)
{
	memset(p, 0, sizeof(*p));
	p->next_at = NQD_TIME_NEVER;
	p->fail_at = NQD_TIME_NEVER;
}

/**
 * nqd_path_validate() - start to validate a path
 * @p: path state
 * @target: the candidate, or the active path again
 * @data: unpredictable bytes, other ones for each challenge (RFC 9000 section 8.2.1)
 * @now: time
 * @pto: probe timeout of the active path, ns
 *
 * Return: 0, or -EBUSY while another validation runs.
 */
int nqd_path_validate(struct nqd_path *p, enum nqd_path_index target,
		      const u8 data[NQD_PATH_CHALLENGES][NQD_PATH_DATA_LEN], u64 now, u64 pto)
{
	if (p->validation == NQD_PATH_VALIDATING)
		return -EBUSY;
	p->validation = NQD_PATH_VALIDATING;
	p->target = (u8)target;
	memcpy(p->data, data, sizeof(p->data));
	p->sent = 0;
	p->next_at = now;
	/* RFC 9000 section 8.2.1: no more often than an Initial packet would be sent. */
	p->interval = max_t(u64, pto, NQD_PATH_INITIAL_PTO / 3);
	/* RFC 9000 section 8.2.4: three times the larger of the current PTO and the PTO of a new path. */
	p->fail_at = now + 3 * max_t(u64, pto, NQD_PATH_INITIAL_PTO);
	return 0;
}

/**
 * nqd_path_abandon() - forget the validation and the candidate
 * @p: path state
 */
void nqd_path_abandon(struct nqd_path *p)
{
	p->validation = NQD_PATH_IDLE;
	p->next_at = NQD_TIME_NEVER;
	p->fail_at = NQD_TIME_NEVER;
	p->candidate_received = 0;
	p->candidate_sent = 0;
}

/**
 * nqd_path_challenge_due() - must a PATH_CHALLENGE leave now?
 * @p: path state
 * @now: time
 *
 * Return: true if so; it goes to @p->target.
 */
bool nqd_path_challenge_due(const struct nqd_path *p, u64 now)
{
	return p->validation == NQD_PATH_VALIDATING && now >= p->next_at;
}

/**
 * nqd_path_challenge_sent() - take the bytes of the challenge that is due
 * @p: path state
 * @now: time
 *
 * Return: NQD_PATH_DATA_LEN bytes inside @p, or NULL if none is due.
 */
const u8 *nqd_path_challenge_sent(struct nqd_path *p, u64 now)
{
	const u8 *data;

	if (!nqd_path_challenge_due(p, now))
		return NULL;
	data = p->data[p->sent++];
	p->next_at = p->sent < NQD_PATH_CHALLENGES ? now + p->interval : NQD_TIME_NEVER;
	return data;
}

/**
 * nqd_path_challenge_deferred() - the challenge that is due may not leave yet
 * @p: path state
 * @now: time
 *
 * RFC 9000 section 8.1: nothing, or too little, was received from the candidate. Look again later.
 */
void nqd_path_challenge_deferred(struct nqd_path *p, u64 now)
{
	p->next_at = now + p->interval;
}

/**
 * nqd_path_on_response() - a PATH_RESPONSE came in
 * @p: path state
 * @data: its bytes
 *
 * RFC 9000 section 8.2.3: it counts whichever path it came on, if it answers a challenge that was sent.
 *
 * Return: true if it finished the validation.
 */
bool nqd_path_on_response(struct nqd_path *p, const u8 data[NQD_PATH_DATA_LEN])
{
	u8 i;

	if (p->validation != NQD_PATH_VALIDATING)
		return false;
	for (i = 0; i < p->sent; i++) {
		if (memcmp(p->data[i], data, NQD_PATH_DATA_LEN))
			continue;
		p->validation = NQD_PATH_VALIDATED;
		p->next_at = NQD_TIME_NEVER;
		p->fail_at = NQD_TIME_NEVER;
		return true;
	}
	return false;
}

/**
 * nqd_path_on_challenge() - a PATH_CHALLENGE came in
 * @p: path state
 * @from: path that it came from
 * @data: its bytes
 *
 * RFC 9000 section 8.2.2: each is answered once; a flood of them is bounded by dropping the oldest.
 */
void nqd_path_on_challenge(struct nqd_path *p, enum nqd_path_index from,
			   const u8 data[NQD_PATH_DATA_LEN])
{
	struct nqd_path_response *response;

	if (p->responses_count == NQD_PATH_RESPONSES) {
		memmove(&p->responses[0], &p->responses[1],
			sizeof(p->responses) - sizeof(p->responses[0]));
		p->responses_count--;
		p->responses_dropped++;
	}
	response = &p->responses[p->responses_count++];
	memcpy(response->data, data, NQD_PATH_DATA_LEN);
	response->path = (u8)from;
}

/**
 * nqd_path_response_next() - take the oldest answer that may be sent
 * @p: path state
 * @size: smallest datagram that would carry it
 * @response: where it goes
 *
 * Answers that the anti-amplification limit forbids are dropped: the peer asks again.
 *
 * Return: 1, or 0 if there is none.
 */
int nqd_path_response_next(struct nqd_path *p, u32 size, struct nqd_path_response *response)
{
	while (p->responses_count) {
		*response = p->responses[0];
		memmove(&p->responses[0], &p->responses[1],
			sizeof(p->responses) - sizeof(p->responses[0]));
		p->responses_count--;
		if (nqd_path_allowance(p, response->path) >= size)
			return 1;
		p->responses_dropped++;
	}
	return 0;
}

/**
 * nqd_path_on_timer() - fail a validation whose time is over
 * @p: path state
 * @now: time
 *
 * Return: true if it failed now.
 */
bool nqd_path_on_timer(struct nqd_path *p, u64 now)
{
	if (p->validation != NQD_PATH_VALIDATING || now < p->fail_at)
		return false;
	nqd_path_abandon(p);
	p->validation = NQD_PATH_FAILED;
	return true;
}

/**
 * nqd_path_candidate_received() - count a datagram from the candidate
 * @p: path state
 * @size: bytes of UDP payload
 */
void nqd_path_candidate_received(struct nqd_path *p, u32 size)
{
	p->candidate_received += size;
}

/**
 * nqd_path_candidate_sent() - count a datagram sent to the candidate
 * @p: path state
 * @size: bytes of UDP payload
 */
void nqd_path_candidate_sent(struct nqd_path *p, u32 size)
{
	p->candidate_sent += size;
}

/**
 * nqd_path_allowance() - bytes that may be sent to a path now
 * @p: path state
 * @to: path
 *
 * RFC 9000 section 8: three times what was received, until the address is validated.
 *
 * Return: bytes, U64_MAX for no limit.
 */
u64 nqd_path_allowance(const struct nqd_path *p, enum nqd_path_index to)
{
	u64 limit = p->candidate_received * NQD_PATH_AMPLIFICATION;

	if (to == NQD_PATH_ACTIVE ||
	    (p->validation == NQD_PATH_VALIDATED && p->target == NQD_PATH_CANDIDATE))
		return U64_MAX;
	return limit > p->candidate_sent ? limit - p->candidate_sent : 0;
}

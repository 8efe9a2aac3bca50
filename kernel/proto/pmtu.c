// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * Path MTU discovery by probing (RFC 8899; RFC 9000 section 14.3).
 */
#include "pmtu.h"

/* RFC 8899 section 5.1.2: MAX_PROBES. */
#define NQD_PMTU_MAX_PROBES 3
/* RFC 8899 section 5.1.1: PMTU_RAISE_TIMER. */
#define NQD_PMTU_RAISE_INTERVAL (600ULL * NSEC_PER_SEC)
/* A search ends when it could not win more than this. */
#define NQD_PMTU_STEP 16
/*
 * Watched packets lost in a row that make a black hole. At 30 % random loss six in a row happen by chance
 * to one run in 1,400, and then cost a new search, no more.
 */
#define NQD_PMTU_BLACK_HOLE_LOSSES 6

static void nqd_pmtu_complete(struct nqd_pmtu *m, u64 now)
{
	m->phase = NQD_PMTU_COMPLETE;
	m->probe_size = 0;
	m->probe_pn = NQD_PN_NONE;
	/* RFC 8899 section 5.3.3: a larger MTU may come into reach later. */
	m->raise_at = m->current_size < m->ceiling ? now + NQD_PMTU_RAISE_INTERVAL : NQD_TIME_NEVER;
}

/*
 * RFC 8899 section 5.3.2: the ceiling first, as most paths pass it; then halve what is left.
 */
static void nqd_pmtu_next(struct nqd_pmtu *m, u64 now)
{
	m->probe_lost_count = 0;
	m->probe_pn = NQD_PN_NONE;
	if (m->high <= m->current_size ||
	    (m->high < m->ceiling && m->high - m->current_size < NQD_PMTU_STEP)) {
		nqd_pmtu_complete(m, now);
		return;
	}
	m->phase = NQD_PMTU_SEARCHING;
	m->raise_at = NQD_TIME_NEVER;
	m->probe_size = m->high == m->ceiling ? m->high :
						m->current_size + (m->high - m->current_size + 1) / 2;
}

static void nqd_pmtu_search(struct nqd_pmtu *m, u64 now)
{
	m->high = m->ceiling;
	nqd_pmtu_next(m, now);
}

/**
 * nqd_pmtu_init() - start the search from a size that was validated before
 * @m: search state
 * @validated: UDP payload size known to pass
 * @ceiling: largest to try: smaller of the peer's max_udp_payload_size and the interface's MTU less
 *	headers; equal to @validated for no search
 *
 * Return: 0, or -EINVAL if @validated is below 1200 or above @ceiling.
 */
int nqd_pmtu_init(struct nqd_pmtu *m, u32 validated, u32 ceiling)
{
	if (validated < NQD_MIN_DATAGRAM_SIZE || ceiling < validated)
		return -EINVAL;
	memset(m, 0, sizeof(*m));
	m->current_size = validated;
	m->ceiling = ceiling;
	nqd_pmtu_search(m, 0);
	return 0;
}

/**
 * nqd_pmtu_set() - somebody else found out
 * @m: search state
 * @validated: UDP payload size that passes, at least 1200
 * @ceiling: largest to try, at least @validated
 * @now: time
 *
 * Return: true if the current size changed.
 */
bool nqd_pmtu_set(struct nqd_pmtu *m, u32 validated, u32 ceiling, u64 now)
{
	bool changed = validated != m->current_size;

	m->current_size = validated;
	m->ceiling = ceiling;
	m->watched_lost = 0;
	m->watch = 0;
	nqd_pmtu_search(m, now);
	return changed;
}

/**
 * nqd_pmtu_probe_sent() - the probe that was wanted leaves
 * @m: search state
 * @pn: its packet number
 */
void nqd_pmtu_probe_sent(struct nqd_pmtu *m, u64 pn)
{
	m->probe_pn = pn;
}

/**
 * nqd_pmtu_acked() - a probe or watched packet was acknowledged
 * @m: search state
 * @pn: its packet number
 * @size: its UDP payload size
 * @now: time
 *
 * Return: true if the current size changed.
 */
bool nqd_pmtu_acked(struct nqd_pmtu *m, u64 pn, u32 size, u64 now)
{
	if (size > NQD_MIN_DATAGRAM_SIZE)
		m->watched_lost = 0;
	if (pn != m->probe_pn)
		return false;
	m->current_size = m->probe_size;
	nqd_pmtu_next(m, now);
	return true;
}

/**
 * nqd_pmtu_lost() - a probe or watched packet was lost
 * @m: search state
 * @pn: its packet number
 * @size: its UDP payload size
 * @now: time
 *
 * Return: true if the current size changed.
 */
bool nqd_pmtu_lost(struct nqd_pmtu *m, u64 pn, u32 size, u64 now)
{
	if (pn == m->probe_pn) {
		m->probe_pn = NQD_PN_NONE;
		if (++m->probe_lost_count < NQD_PMTU_MAX_PROBES)
			return false;
		m->high = m->probe_size - 1;
		nqd_pmtu_next(m, now);
		return false;
	}
	/* Packets that left before the size fell say nothing about the present one. */
	if (size > m->current_size)
		return false;
	if (++m->watched_lost < NQD_PMTU_BLACK_HOLE_LOSSES)
		return false;
	m->watched_lost = 0;
	m->watch = 0;
	if (m->current_size == NQD_MIN_DATAGRAM_SIZE)
		return false;
	/* RFC 8899 section 4.3: the base is what QUIC requires of every path (RFC 9000 section 14). */
	m->black_holes++;
	m->high = m->current_size - 1;
	m->current_size = NQD_MIN_DATAGRAM_SIZE;
	nqd_pmtu_next(m, now);
	return true;
}

/**
 * nqd_pmtu_suspect() - packets were lost: watch the next large ones
 * @m: search state
 */
void nqd_pmtu_suspect(struct nqd_pmtu *m)
{
	if (m->current_size > NQD_MIN_DATAGRAM_SIZE)
		m->watch = NQD_PMTU_BLACK_HOLE_LOSSES;
}

/**
 * nqd_pmtu_too_big() - an ICMP message, checked by the home, names a smaller MTU
 * @m: search state
 * @reported: UDP payload size that it leaves
 * @now: time
 *
 * RFC 9000 section 14.2.1: it may lower the size, never below what QUIC requires.
 *
 * Return: true if the current size changed.
 */
bool nqd_pmtu_too_big(struct nqd_pmtu *m, u32 reported, u64 now)
{
	if (reported < NQD_MIN_DATAGRAM_SIZE)
		return false;
	if (reported >= m->current_size) {
		/* RFC 8899 section 4.6.2: it only bounds the search. */
		if (m->phase == NQD_PMTU_SEARCHING && reported < m->probe_size) {
			m->high = reported;
			nqd_pmtu_next(m, now);
		}
		return false;
	}
	m->current_size = reported;
	m->high = reported;
	nqd_pmtu_complete(m, now);
	return true;
}

/**
 * nqd_pmtu_on_timer() - search again once the raise timer expired
 * @m: search state
 * @now: time
 */
void nqd_pmtu_on_timer(struct nqd_pmtu *m, u64 now)
{
	if (now >= m->raise_at)
		nqd_pmtu_search(m, now);
}

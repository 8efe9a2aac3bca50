/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Search for the path MTU by probing (RFC 8899, RFC 9000 section 14.3).
 *
 * Sizes are UDP payloads. A probe is a PING padded to the size that is tried; its loss says nothing about
 * congestion. A fall of the path MTU is noticed by a black-hole test: while losses occur, packets larger
 * than the base are watched, and a run of lost ones with none acknowledged between means the path
 * swallows them.
 */
#ifndef _NQD_PROTO_PMTU_H
#define _NQD_PROTO_PMTU_H

#include "base.h"

/**
 * enum nqd_pmtu_phase - RFC 8899 section 5.2
 * @NQD_PMTU_SEARCHING: sizes between the current and the ceiling are tried
 * @NQD_PMTU_COMPLETE: nothing more to try until the raise timer
 */
enum nqd_pmtu_phase {
	NQD_PMTU_SEARCHING,
	NQD_PMTU_COMPLETE,
};

/**
 * struct nqd_pmtu - state of the search
 * @phase: phase
 * @current_size: largest UDP payload known to pass
 * @ceiling: largest that may ever be tried
 * @high: largest not yet ruled out in this search
 * @probe_size: size of the next or outstanding probe, 0 if there is nothing to try
 * @probe_pn: packet number of the outstanding probe, or NQD_PN_NONE
 * @probe_lost_count: probes of @probe_size lost in a row
 * @watched_lost: watched packets lost in a row
 * @watch: packets above the base size still to be watched
 * @raise_at: when the search starts again, or NQD_TIME_NEVER
 * @black_holes: times that the size fell back to the base
 */
struct nqd_pmtu {
	enum nqd_pmtu_phase phase;
	u32 current_size;
	u32 ceiling;
	u32 high;
	u32 probe_size;
	u64 probe_pn;
	u8 probe_lost_count;
	u8 watched_lost;
	u8 watch;
	u64 raise_at;
	u64 black_holes;
};

int nqd_pmtu_init(struct nqd_pmtu *m, u32 validated, u32 ceiling);
bool nqd_pmtu_set(struct nqd_pmtu *m, u32 validated, u32 ceiling, u64 now);
void nqd_pmtu_probe_sent(struct nqd_pmtu *m, u64 pn);
bool nqd_pmtu_acked(struct nqd_pmtu *m, u64 pn, u32 size, u64 now);
bool nqd_pmtu_lost(struct nqd_pmtu *m, u64 pn, u32 size, u64 now);
void nqd_pmtu_suspect(struct nqd_pmtu *m);
bool nqd_pmtu_too_big(struct nqd_pmtu *m, u32 reported, u64 now);
void nqd_pmtu_on_timer(struct nqd_pmtu *m, u64 now);

/**
 * nqd_pmtu_probe_wanted() - size of the probe that should be sent
 * @m: search state
 *
 * Return: UDP payload size, or 0 if none is wanted now.
 */
static inline u32 nqd_pmtu_probe_wanted(const struct nqd_pmtu *m)
{
	return m->phase == NQD_PMTU_SEARCHING && m->probe_pn == NQD_PN_NONE ? m->probe_size : 0;
}

/**
 * nqd_pmtu_take_watch() - should the fate of this packet be reported?
 * @m: search state
 * @size: its UDP payload size
 *
 * Return: true if nqd_pmtu_acked() or nqd_pmtu_lost() must hear of it.
 */
static inline bool nqd_pmtu_take_watch(struct nqd_pmtu *m, u32 size)
{
	if (likely(!m->watch) || size <= NQD_MIN_DATAGRAM_SIZE)
		return false;
	m->watch--;
	return true;
}

/**
 * nqd_pmtu_deadline() - when nqd_pmtu_on_timer() has something to do
 * @m: search state
 *
 * Return: a time, or NQD_TIME_NEVER.
 */
static inline u64 nqd_pmtu_deadline(const struct nqd_pmtu *m)
{
	return m->raise_at;
}

#endif

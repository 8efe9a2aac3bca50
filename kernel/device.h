/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual network device, nexusq<N>: IP packets in and out, one device for each L3 network.
 */
#ifndef _NQD_DEVICE_H
#define _NQD_DEVICE_H

#include <linux/netdevice.h>
#include <linux/rbtree.h>
#include <net/gro_cells.h>

#include "figures.h"
#include "routes.h"
#include "stats.h"
#include "uapi/nexus_quic_dco.h"

struct nqd_net;

#define NQD_DEVICE_QUEUES_MAX 256
/* What GET_CAPS says: sessions of one device. */
#define NQD_DEVICE_SESSIONS_MAX 65536

/**
 * struct nqd_device_config - what CREATE_DEVICE and UPDATE_DEVICE set
 * @generation: of the caller, strictly rising
 * @network_id: L3 network, fixed at creation
 * @route_epoch: current epoch of the network
 * @flags: bits of enum nqd_device_flag
 * @fwmark: mark of the outer packets
 * @dscp_policy: enum nqd_dscp_policy
 * @dscp: outer DSCP, 0 to 63
 * @ecn_policy: enum nqd_ecn_policy
 */
struct nqd_device_config {
	u64 generation;
	u64 network_id;
	u64 route_epoch;
	u32 flags;
	u32 fwmark;
	u32 dscp_policy;
	u32 dscp;
	u32 ecn_policy;
};

/**
 * struct nqd_device - private part of a device
 * @dev: the device
 * @net: namespace that created it and that it belongs to; it outlives the device (netns.c)
 * @id: number in @net, 0 while it has none
 * @owner_port: netlink port of its owner in @net, 0 for none; protected by nqd_net.lock
 * @config: protected by nqd_net.lock
 * @stats: counters of each CPU
 * @queues: counters of each CPU, of each TX queue
 * @gro_cells: where what comes out of the tunnel meets the network stack
 * @queued: memory of the packets that wait in all sessions
 * @sessions: struct nqd_session by id; protected by nqd_net.lock
 * @session_count: their number; likewise
 * @routes: struct nqd_route by prefix; changed under nqd_net.lock, read under RCU
 * @ended: counters of sessions that have ended; protected by nqd_net.lock
 * @zero: counters at the time of FLUSH_STATS, or NULL; likewise
 * @queue_zero: those of each TX queue then, likewise
 * @debug: bits of enum nqd_debug_flag; written under nqd_net.lock
 */
struct nqd_device {
	struct net_device *dev;
	struct net *net;
	u32 id;
	u32 owner_port;
	struct nqd_device_config config;
	struct nqd_stats __percpu *stats;
	struct nqd_tx_queue __percpu *queues;
	struct gro_cells gro_cells;
	atomic_long_t queued;
	struct rb_root sessions;
	u32 session_count;
	struct nqd_routes routes;
	struct nqd_figures ended;
	struct nqd_figures *zero;
	struct nqd_queue_stats *queue_zero;
	u32 debug;
};

/**
 * nqd_device_logs() - does the device log what is of this kind? (SET_DEBUG)
 * @nd: device
 * @kind: what
 *
 * Return: true if so.
 */
static inline bool nqd_device_logs(const struct nqd_device *nd, enum nqd_debug_flag kind)
{
	return unlikely(READ_ONCE(nd->debug) & kind);
}

struct nqd_device *nqd_device_create(struct net *net, const char *name, u32 queues, u32 mtu,
				     u32 owner_port, const struct nqd_device_config *config,
				     struct netlink_ext_ack *extack);
void nqd_device_delete(struct nqd_device *nd);
struct nqd_device *nqd_device_find(struct nqd_net *nn, u32 id);
void nqd_device_release_port(struct net *net, u32 port);

int nqd_device_init(void);
void nqd_device_exit(void);

#endif /* _NQD_DEVICE_H */

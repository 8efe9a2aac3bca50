// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/nexus_quic_dco/sessions: what every session of the machine is at, for root of the
 * machine. Each is named by the inode of its namespace (as in /proc/PID/ns/net), its device and its number.
 *
 * No keys, secrets, reset tokens, connection IDs or payloads: addresses, numbers and times only.
 *
 * One file, that walks: a file for each session would have to go with it, and cost memory that nearly
 * nobody looks at. Sessions are looked at under nqd_net.lock, where they cannot end.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "debugfs.h"
#include "device.h"
#include "figures.h"
#include "netns.h"
#include "session.h"

/**
 * struct nqd_debugfs_walk - where the walk through all sessions is
 * @nn: namespace of @session, its lock held; NULL between two reads
 * @netns: inode of that namespace
 * @device: number of the device in it
 * @session: number of the session on it
 * @done: there are no more
 */
struct nqd_debugfs_walk {
	struct nqd_net *nn;
	unsigned int netns;
	u32 device;
	u64 session;
	bool done;
};

static struct dentry *nqd_debugfs_folder;

/* The first session of the namespace from where the walk is on. */
static struct nqd_session *nqd_debugfs_from(struct nqd_debugfs_walk *walk)
{
	struct nqd_device *nd;
	struct nqd_session *s;
	unsigned long id;

	xa_for_each_start(&walk->nn->devices, id, nd, walk->device) {
		s = nqd_session_from(nd, id == walk->device ? walk->session : 0);
		if (!s)
			continue;
		walk->device = nd->id;
		walk->session = s->id;
		return s;
	}
	return NULL;
}

static struct net *nqd_debugfs_next_net(struct net *net)
{
	return list_is_last(&net->list, &net_namespace_list) ? NULL : list_next_entry(net, list);
}

/* There are no more in this namespace: the next one is walked from its beginning. */
static void nqd_debugfs_leave(struct nqd_debugfs_walk *walk)
{
	mutex_unlock(&walk->nn->lock);
	walk->device = 0;
	walk->session = 0;
}

/* The first session of @net or of a namespace behind it; the lock of its namespace is held then. */
static struct nqd_session *nqd_debugfs_from_net(struct nqd_debugfs_walk *walk, struct net *net)
{
	struct nqd_session *s;

	for (; net; net = nqd_debugfs_next_net(net)) {
		walk->nn = nqd_net(net);
		walk->netns = net->ns.inum;
		mutex_lock(&walk->nn->lock);
		s = nqd_debugfs_from(walk);
		if (s)
			return s;
		nqd_debugfs_leave(walk);
	}
	walk->nn = NULL;
	walk->done = true;
	return NULL;
}

static void *nqd_debugfs_start(struct seq_file *seq, loff_t *pos)
{
	struct nqd_debugfs_walk *walk = seq->private;
	struct net *net, *at = NULL;

	/* No namespace comes or goes. */
	down_read(&net_rwsem);
	if (!*pos) {
		memset(walk, 0, sizeof(*walk));
		return nqd_debugfs_from_net(walk, list_first_entry(&net_namespace_list, struct net, list));
	}
	if (walk->done)
		return NULL;
	/* Where it has gone between two reads the walk ends. */
	for_each_net(net)
		if (net->ns.inum == walk->netns)
			at = net;
	return nqd_debugfs_from_net(walk, at);
}

static void *nqd_debugfs_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct nqd_debugfs_walk *walk = seq->private;
	struct net *net = walk->nn->net;
	struct nqd_session *s;

	++*pos;
	if (!++walk->session)
		walk->device++;
	s = nqd_debugfs_from(walk);
	if (s)
		return s;
	nqd_debugfs_leave(walk);
	return nqd_debugfs_from_net(walk, nqd_debugfs_next_net(net));
}

static void nqd_debugfs_stop(struct seq_file *seq, void *v)
{
	struct nqd_debugfs_walk *walk = seq->private;

	if (walk->nn)
		mutex_unlock(&walk->nn->lock);
	walk->nn = NULL;
	up_read(&net_rwsem);
}

static void nqd_debugfs_config(struct seq_file *seq, const struct nqd_session *s)
{
	const struct nqd_session_config *config = &s->config;

	seq_printf(seq, "  generation %llu role %u suite %#x flags %#x epoch %llu congestion %u keepalive %u ms\n",
		   config->generation, config->role, s->suite->suite, config->flags, config->route_epoch,
		   config->congestion, config->keepalive_ms);
	seq_printf(seq, "  remote %pISpc local-port %u prefixes %u local-cids %u peer-cids %u references %u\n",
		   &s->remote, ntohs(s->local_port), config->sources, config->local_cids, config->peer_cids,
		   refcount_read(&s->refs));
}

/* A moment as it is seen from now, in ms; nothing where there is none. */
static void nqd_debugfs_when(struct seq_file *seq, const char *what, u64 at, u64 now)
{
	if (at != NQD_TIME_NEVER)
		seq_printf(seq, " %s in %lld ms", what, div_s64((s64)(at - now), NSEC_PER_MSEC));
}

static void nqd_debugfs_conn(struct seq_file *seq, const struct nqd_session *s, u64 now)
{
	const struct nqd_conn *c = &s->conn;
	const struct nqd_rtt *rtt = &c->recovery.rtt;
	const struct nqd_keys *k = &c->keys;
	struct nqd_recovery_stats r;

	seq_printf(seq, "  state %u datagram-size %u max-payload %u wanted %#x next-pn %llu largest-received %lld\n",
		   c->state.state, c->pmtu.current_size, c->max_payload, c->wanted,
		   nqd_sent_next_pn(&c->recovery.sent), (s64)c->received.largest);
	seq_printf(seq, "  keys: rx %llu tx %llu next-rx %u next-tx %u sealed %llu of %llu failures %llu of %llu\n",
		   k->rx_generation, k->tx_generation, k->rx_next, k->tx_next, k->sealed, k->seal_limit,
		   k->open_failures, k->open_failure_limit);
	nqd_session_recovery_stats(s, &r);
	seq_printf(seq, "  rtt %llu us min %llu variation %llu lost %llu probes %llu\n",
		   div_u64(rtt->smoothed, NSEC_PER_USEC), div_u64(rtt->min, NSEC_PER_USEC),
		   div_u64(rtt->var, NSEC_PER_USEC), r.packets_lost, r.pto_count);
	seq_printf(seq, "  window %llu threshold %llu in-flight %llu pacing %llu\n", r.congestion_window,
		   r.slow_start_threshold, r.bytes_in_flight, r.pacing_rate);
	seq_puts(seq, "  timers:");
	nqd_debugfs_when(seq, "core", nqd_conn_deadline(c), now);
	nqd_debugfs_when(seq, "pacer", s->data.paced_at, now);
	nqd_debugfs_when(seq, "armed", s->data.timer_at, now);
	seq_putc(seq, '\n');
}

static void nqd_debugfs_counters(struct seq_file *seq, struct nqd_session *s)
{
	struct nqd_figures figures;
	u32 i;

	nqd_figures_session(s, &figures);
	seq_printf(seq, "  inner rx %llu tx %llu quic rx %llu tx %llu drops:", figures.l3.rx_packets,
		   figures.l3.tx_packets, figures.quic.rx_packets, figures.quic.tx_packets);
	for (i = 0; i < __NQD_DROP_COUNT; i++)
		if (figures.drops[i])
			seq_printf(seq, " %u:%llu", i, figures.drops[i]);
	seq_putc(seq, '\n');
}

static int nqd_debugfs_show(struct seq_file *seq, void *v)
{
	const struct nqd_debugfs_walk *walk = seq->private;
	struct nqd_session *s = v;

	seq_printf(seq, "netns %u device %u session %llu\n", walk->netns, walk->device, s->id);
	nqd_debugfs_config(seq, s);
	spin_lock_bh(&s->lock);
	seq_printf(seq, "  active %u held %u events %u payloads %u queued %u bytes %u serving %#x stalled %u work %#lx\n",
		   s->active, skb_queue_len(&s->held), s->owner.count, skb_queue_len(&s->data.payloads),
		   skb_queue_len_lockless(&s->data.queue.skbs), READ_ONCE(s->data.queue.bytes),
		   atomic_read(&s->data.serving), s->data.stalled, READ_ONCE(s->work_bits));
	if (s->running)
		nqd_debugfs_conn(seq, s, nqd_now());
	spin_unlock_bh(&s->lock);
	nqd_debugfs_counters(seq, s);
	return 0;
}

static const struct seq_operations nqd_debugfs_sessions = {
	.start = nqd_debugfs_start,
	.next = nqd_debugfs_next,
	.stop = nqd_debugfs_stop,
	.show = nqd_debugfs_show,
};

static int nqd_debugfs_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &nqd_debugfs_sessions, sizeof(struct nqd_debugfs_walk));
}

static const struct file_operations nqd_debugfs_fops = {
	.owner = THIS_MODULE,
	.open = nqd_debugfs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

/**
 * nqd_debugfs_init() - offer the file, where this kernel has debugfs
 */
void nqd_debugfs_init(void)
{
	nqd_debugfs_folder = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("sessions", 0400, nqd_debugfs_folder, NULL, &nqd_debugfs_fops);
}

/**
 * nqd_debugfs_exit() - take it away; nobody reads it any more then
 */
void nqd_debugfs_exit(void)
{
	debugfs_remove(nqd_debugfs_folder);
}

// SPDX-License-Identifier: GPL-2.0
/* Compiles with every kernel: if not, no other probe means anything. */
#include <linux/netdevice.h>

int nqd_probe(struct net_device *dev);
int nqd_probe(struct net_device *dev)
{
	return dev->ifindex;
}

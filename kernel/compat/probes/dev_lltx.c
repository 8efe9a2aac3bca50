// SPDX-License-Identifier: GPL-2.0
/* A device that needs no lock for sending says so by a bit of its own, not by a feature. */
#include <linux/netdevice.h>

void nqd_probe(struct net_device *dev);
void nqd_probe(struct net_device *dev)
{
	dev->lltx = true;
}

// SPDX-License-Identifier: BSD-3-Clause
/*
 * The lab's proof: a network device and a generic netlink family, the two things that the data
 * path's module offers too. nxlab0 counts and drops what is sent; LAB_CMD_SUM adds two numbers.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/if_arp.h>
#include <net/genetlink.h>

#include "sum.h"

enum {
	LAB_CMD_UNSPEC,
	LAB_CMD_SUM,
};

enum {
	LAB_A_UNSPEC,
	LAB_A_FIRST,
	LAB_A_SECOND,
	LAB_A_SUM,
	__LAB_A_END,
};

static struct net_device *lab_device;
static struct genl_family lab_family;

static netdev_tx_t lab_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len;
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops lab_device_ops = {
	.ndo_start_xmit = lab_xmit,
};

static void lab_device_setup(struct net_device *dev)
{
	dev->netdev_ops = &lab_device_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->mtu = 1420;
	dev->needs_free_netdev = true;
}

static int lab_sum_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header;
	u32 sum;
	int err;

	if (!info->attrs[LAB_A_FIRST] || !info->attrs[LAB_A_SECOND]) {
		GENL_SET_ERR_MSG(info, "two numbers are needed");
		return -EINVAL;
	}
	err = lab_sum(nla_get_u32(info->attrs[LAB_A_FIRST]),
		      nla_get_u32(info->attrs[LAB_A_SECOND]), &sum);
	if (err)
		return err;

	reply = genlmsg_new(nla_total_size(sizeof(u32)), GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	header = genlmsg_put_reply(reply, info, &lab_family, 0, LAB_CMD_SUM);
	if (!header) {
		err = -EMSGSIZE;
		goto err_free;
	}
	err = nla_put_u32(reply, LAB_A_SUM, sum);
	if (err)
		goto err_free;
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);

err_free:
	nlmsg_free(reply);
	return err;
}

static const struct nla_policy lab_policy[__LAB_A_END] = {
	[LAB_A_FIRST] = { .type = NLA_U32 },
	[LAB_A_SECOND] = { .type = NLA_U32 },
};

static const struct genl_ops lab_ops[] = {
	{
		.cmd = LAB_CMD_SUM,
		.doit = lab_sum_doit,
		.policy = lab_policy,
		.maxattr = __LAB_A_END - 1,
	},
};

static struct genl_family lab_family = {
	.name = "nexus_lab",
	.version = 1,
	.module = THIS_MODULE,
	.ops = lab_ops,
	.n_ops = ARRAY_SIZE(lab_ops),
};

static int __init lab_init(void)
{
	int err;

	lab_device = alloc_netdev(0, "nxlab%d", NET_NAME_ENUM, lab_device_setup);
	if (!lab_device)
		return -ENOMEM;
	err = register_netdev(lab_device);
	if (err) {
		free_netdev(lab_device);
		return err;
	}
	err = genl_register_family(&lab_family);
	if (err)
		unregister_netdev(lab_device);
	return err;
}

static void __exit lab_exit(void)
{
	genl_unregister_family(&lab_family);
	unregister_netdev(lab_device);
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_DESCRIPTION("The kernel lab's example: a network device and a generic netlink family");
MODULE_LICENSE("Dual BSD/GPL");

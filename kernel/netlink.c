// SPDX-License-Identifier: GPL-2.0
/*
 * The control interface: the generic netlink family, and what its handlers share.
 *
 * Every handler calls nqd_nl_check() first, and nqd_nl_wipe() before it returns if its command may carry
 * secrets. Commands are serialised by the core (genl_mutex); rtnl and nqd_net.lock are taken inside.
 */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>

#include "compat/compat.h"
#include "device.h"
#include "netlink.h"
#include "netns.h"

/* The device that a request is about; nqd_net.lock is held. The request may be one that was refused. */
static struct nqd_device *nqd_netlink_device_about(struct nqd_net *nn, const struct genl_info *info)
{
	static const struct {
		u16 nest;
		u16 id;
	} places[] = {
		{ NQD_A_DEVICE, NQD_A_DEVICE_ID },
		{ NQD_A_SESSION, NQD_A_SESSION_DEVICE_ID },
		{ NQD_A_ROUTE, NQD_A_ROUTE_DEVICE_ID },
	};
	const struct nlattr *nest, *id;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		/* Not in info->attrs: that has only as many as the command may have. */
		nest = nlmsg_find_attr(info->nlhdr, GENL_HDRLEN, places[i].nest);
		if (!nest)
			continue;
		id = nla_find_nested(nest, places[i].id);
		return id && nla_len(id) == sizeof(u32) ? nqd_device_find(nn, nla_get_u32(id)) : NULL;
	}
	return NULL;
}

/* After every command. What was refused has a message in the extended acknowledgement, without a secret. */
static void nqd_netlink_log(const NQD_GENL_OP *op, struct sk_buff *skb, struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	const char *why = info->extack ? info->extack->_msg : NULL;
	struct nqd_device *nd;

	mutex_lock(&nn->lock);
	nd = nqd_netlink_device_about(nn, info);
	if (nd && nqd_device_logs(nd, NQD_DEBUG_FLAG_CONTROL))
		net_info_ratelimited("%s: command %u of port %u: %s\n", netdev_name(nd->dev),
				     info->genlhdr->cmd, info->snd_portid, why ?: "accepted");
	mutex_unlock(&nn->lock);
}

struct genl_family nqd_netlink_family __ro_after_init = {
	.name = NQD_FAMILY_NAME,
	.version = NQD_FAMILY_VERSION,
	.maxattr = NQD_A_MAX,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = nqd_nl_ops,
	.n_ops = ARRAY_SIZE(nqd_nl_ops),
	.resv_start_op = NQD_CMD_SET_DEBUG + 1,
	.mcgrps = nqd_nl_mcgrps,
	.post_doit = nqd_netlink_log,
	.n_mcgrps = ARRAY_SIZE(nqd_nl_mcgrps),
};

/* Whether the multicast group exists. */
static bool nqd_netlink_registered;

/**
 * nqd_netlink_announce() - may events be sent?
 *
 * Return: false while the module is loaded or unloaded, when the family has no multicast group.
 */
bool nqd_netlink_announce(void)
{
	return READ_ONCE(nqd_netlink_registered);
}

/**
 * nqd_netlink_net() - the namespace that a request is about
 * @info: request
 *
 * Return: the module's state of the namespace of the sender's socket.
 */
struct nqd_net *nqd_netlink_net(struct genl_info *info)
{
	return nqd_net(genl_info_net(info));
}

static const struct {
	const struct nla_policy *policy;
	unsigned int max;
} nqd_netlink_nests[NQD_A_MAX + 1] = {
	[NQD_A_DEVICE] = { nqd_device_nl_policy, NQD_A_DEVICE_MAX },
	[NQD_A_SESSION] = { nqd_session_nl_policy, NQD_A_SESSION_MAX },
	[NQD_A_STATE] = { nqd_state_nl_policy, NQD_A_STATE_MAX },
	[NQD_A_KEYS] = { nqd_keys_nl_policy, NQD_A_KEYS_MAX },
	[NQD_A_ROUTE] = { nqd_route_nl_policy, NQD_A_ROUTE_MAX },
	[NQD_A_CLOSE] = { nqd_close_nl_policy, NQD_A_CLOSE_MAX },
	[NQD_A_FRAMES] = { nqd_frames_nl_policy, NQD_A_FRAMES_MAX },
	[NQD_A_EVENT] = { nqd_event_nl_policy, NQD_A_EVENT_MAX },
	[NQD_A_DEBUG] = { nqd_debug_nl_policy, NQD_A_DEBUG_MAX },
};

/**
 * nqd_netlink_nest() - take a nested set of a request apart
 * @tb: where its attributes go, one more than the nest has
 * @nest: number of the top-level attribute; nqd_nl_check() has found it valid
 * @info: request
 *
 * Return: 0 or a negative error. A set that is absent has no attributes.
 */
int nqd_netlink_nest(struct nlattr **tb, unsigned int nest, struct genl_info *info)
{
	unsigned int max = nqd_netlink_nests[nest].max;

	if (!info->attrs[nest]) {
		memset(tb, 0, sizeof(*tb) * (max + 1));
		return 0;
	}
	/* Liberal: attributes that nobody here knows are left out (docs/abi.md, "required"). */
	return nla_parse_nested_deprecated(tb, max, info->attrs[nest], nqd_netlink_nests[nest].policy,
					   info->extack);
}

/**
 * nqd_netlink_begin() - check a request, and take the set apart that names its object
 * @info: request
 * @tb: where the attributes of the set go, one more than it has
 * @nest: number of the top-level attribute
 *
 * Return: 0 or a negative error; extack is set then.
 */
int nqd_netlink_begin(struct genl_info *info, struct nlattr **tb, unsigned int nest)
{
	int err = nqd_nl_check(info->nlhdr, info->extack);

	return err ? err : nqd_netlink_nest(tb, nest, info);
}

/**
 * nqd_netlink_end() - let go of the session of nqd_netlink_lock_session()
 * @info: request
 */
void nqd_netlink_end(struct genl_info *info)
{
	mutex_unlock(&nqd_netlink_net(info)->lock);
}

/**
 * nqd_netlink_put_version() - what every message starts with
 * @skb: message
 *
 * Return: 0 or -EMSGSIZE.
 */
int nqd_netlink_put_version(struct sk_buff *skb)
{
	return nla_put_u32(skb, NQD_A_ABI_VERSION, NQD_ABI_VERSION);
}

/**
 * nqd_netlink_reply_of() - start the answer to a request
 * @info: request
 * @header: set to what genlmsg_end() needs
 * @size: bytes that it may have
 *
 * Return: the message with its version, or NULL where there is no memory; extack is set then.
 */
struct sk_buff *nqd_netlink_reply_of(struct genl_info *info, void **header, size_t size)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (skb) {
		*header = genlmsg_put_reply(skb, info, &nqd_netlink_family, 0, info->genlhdr->cmd);
		if (*header && !nqd_netlink_put_version(skb))
			return skb;
		nlmsg_free(skb);
	}
	GENL_SET_ERR_MSG(info, "no memory for the answer");
	return NULL;
}

/**
 * nqd_netlink_reply() - start the answer to a request
 * @info: request
 * @header: set to what genlmsg_end() needs
 *
 * Return: the message with its version, or NULL where there is no memory; extack is set then.
 */
struct sk_buff *nqd_netlink_reply(struct genl_info *info, void **header)
{
	return nqd_netlink_reply_of(info, header, NLMSG_GOODSIZE);
}

/* An agent that is gone, however it died, owns nothing any more. */
static int nqd_netlink_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC)
		nqd_device_release_port(notify->net, notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block nqd_netlink_notifier = { .notifier_call = nqd_netlink_notify };

/**
 * nqd_netlink_init() - take commands
 *
 * Return: 0 or a negative error.
 */
int nqd_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&nqd_netlink_notifier);
	if (err)
		return err;
	err = genl_register_family(&nqd_netlink_family);
	if (err) {
		netlink_unregister_notifier(&nqd_netlink_notifier);
		return err;
	}
	WRITE_ONCE(nqd_netlink_registered, true);
	return 0;
}

/**
 * nqd_netlink_exit() - take no more commands, send no more events
 */
void nqd_netlink_exit(void)
{
	/* Events of devices are sent under rtnl, those of sessions with BH off: none is under way then. */
	rtnl_lock();
	WRITE_ONCE(nqd_netlink_registered, false);
	rtnl_unlock();
	synchronize_net();
	genl_unregister_family(&nqd_netlink_family);
	netlink_unregister_notifier(&nqd_netlink_notifier);
}

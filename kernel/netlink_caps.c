// SPDX-License-Identifier: GPL-2.0
/*
 * NQD_CMD_GET_CAPS: what this kernel offers, found out when asked.
 */
#include "device.h"
#include "netlink.h"
#include "suite.h"
#include "version.h"

#define NQD_CAPS_FEATURES \
	(NQD_FEATURE_ZERO_LENGTH_CID | NQD_FEATURE_PERSIST | NQD_FEATURE_SEND_FRAMES | \
	 NQD_FEATURE_STATELESS_RESET | NQD_FEATURE_ECN | \
	 NQD_FEATURE_PMTU_SEARCH | NQD_FEATURE_LAB_MODE | NQD_FEATURE_AEAD_LIMITS | NQD_FEATURE_DEBUG)

/* Clears @secrets where keys of one of the suites cannot be derived here. */
static int nqd_netlink_put_ciphers(struct sk_buff *skb, bool *secrets)
{
	unsigned int i;

	for (i = 0; i < NQD_SUITES; i++) {
		struct nqd_cipher_cap cap = { .suite = nqd_suites[i].suite };
		bool asynchronous;
		int err;

		/* A suite that the kernel has no cipher for is left out: it cannot be negotiated. */
		err = nqd_suite_driver(&nqd_suites[i], cap.driver, sizeof(cap.driver), &asynchronous);
		if (err == -ENOMEM)
			return err;
		if (err)
			continue;
		err = nqd_suite_has_hash(&nqd_suites[i]);
		if (err < 0)
			return err;
		if (!err)
			*secrets = false;
		cap.asynchronous = asynchronous;
		if (nla_put(skb, NQD_A_CAPS_CIPHER, sizeof(cap), &cap))
			return -EMSGSIZE;
	}
	return 0;
}

static int nqd_netlink_put_caps(struct sk_buff *skb)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_CAPS);
	u64 features = NQD_CAPS_FEATURES;
	bool secrets = true;
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = nqd_netlink_put_ciphers(skb, &secrets);
	if (err)
		return err;
	/* It is said of all suites: where one lacks its hash, user space derives the keys. */
	if (secrets)
		features |= NQD_FEATURE_INSTALL_SECRETS;
	if (nla_put_u32(skb, NQD_A_CAPS_ABI_MIN, NQD_ABI_VERSION) ||
	    nla_put_u32(skb, NQD_A_CAPS_ABI_MAX, NQD_ABI_VERSION) ||
	    nla_put_string(skb, NQD_A_CAPS_MODULE_VERSION, NQD_MODULE_VERSION) ||
	    nla_put_u32(skb, NQD_A_CAPS_CONGESTION, NQD_CONGESTION_CUBIC_LIKE) ||
	    nla_put_u32(skb, NQD_A_CAPS_CONGESTION, NQD_CONGESTION_BBR_LIKE) ||
	    nla_put_u32(skb, NQD_A_CAPS_CONGESTION, NQD_CONGESTION_FIXED_RATE_TEST) ||
	    nla_put_u64_64bit(skb, NQD_A_CAPS_FEATURES, features, NQD_A_CAPS_PAD) ||
	    nla_put_u32(skb, NQD_A_CAPS_MAX_SESSIONS, NQD_DEVICE_SESSIONS_MAX))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nqd_nl_get_caps_doit() - NQD_CMD_GET_CAPS
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_caps_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header;
	int err;

	err = nqd_nl_check(info->nlhdr, info->extack);
	if (err)
		return err;
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;
	err = nqd_netlink_put_caps(reply);
	if (err) {
		GENL_SET_ERR_MSG(info, "no memory to find out what the kernel offers");
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);
}

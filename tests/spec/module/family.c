// SPDX-License-Identifier: BSD-3-Clause
/*
 * The generated family with handlers that check and wipe a request and do nothing else. The handlers'
 * bodies are written into handlers.h by the test that builds this.
 */
#include <linux/module.h>

#include "netlink_gen.h"
#include "uapi/nexus_quic_dco_layout.h"

static int check_do(struct genl_info *info)
{
	int err = nqd_nl_check(info->nlhdr, info->extack);

	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	return err;
}

#define DO(name) \
	int name(struct sk_buff *skb, struct genl_info *info) { return check_do(info); }
#define DUMP(name) \
	int name(struct sk_buff *skb, struct netlink_callback *cb) \
	{ return nqd_nl_check(cb->nlh, cb->extack); }
#include "handlers.h"

int nqd_nl_dump_start(struct netlink_callback *cb)
{
	return 0;
}

static struct genl_family family __ro_after_init = {
	.name = NQD_FAMILY_NAME,
	.version = NQD_FAMILY_VERSION,
	.maxattr = NQD_A_MAX,
	.ops = nqd_nl_ops,
	.n_ops = ARRAY_SIZE(nqd_nl_ops),
	.resv_start_op = NQD_CMD_SET_DEBUG + 1,
	.mcgrps = nqd_nl_mcgrps,
	.n_mcgrps = ARRAY_SIZE(nqd_nl_mcgrps),
	.netnsok = true,
	.module = THIS_MODULE,
};

static int __init policy_init(void)
{
	return genl_register_family(&family);
}

static void __exit policy_exit(void)
{
	genl_unregister_family(&family);
}

module_init(policy_init);
module_exit(policy_exit);
MODULE_DESCRIPTION("Policies of nexus_quic_dco, for their test");
MODULE_LICENSE("Dual BSD/GPL");

// SPDX-License-Identifier: GPL-2.0
/* genl_family.post_doit is told of a command by struct genl_split_ops. */
#include <net/genetlink.h>

static void nqd_probe_log(const struct genl_split_ops *op, struct sk_buff *skb, struct genl_info *info)
{
}

void nqd_probe(struct genl_family *family);
void nqd_probe(struct genl_family *family)
{
	family->post_doit = nqd_probe_log;
}

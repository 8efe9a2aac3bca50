// SPDX-License-Identifier: GPL-2.0
/* genl_family.post_doit is told of a command by struct genl_split_ops. */
#include <net/genetlink.h>

void nqd_probe(const struct genl_split_ops *op, struct sk_buff *skb, struct genl_info *info);
extern struct genl_family nqd_probe_family;
struct genl_family nqd_probe_family = { .post_doit = nqd_probe };

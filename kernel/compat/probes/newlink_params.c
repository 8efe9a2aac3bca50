// SPDX-License-Identifier: GPL-2.0
/* rtnl_link_ops.newlink takes its arguments in a struct. */
#include <net/rtnetlink.h>

struct nlattr **nqd_probe(struct rtnl_newlink_params *params);
struct nlattr **nqd_probe(struct rtnl_newlink_params *params)
{
	return params->data;
}

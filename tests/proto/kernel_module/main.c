// SPDX-License-Identifier: BSD-3-Clause
/* Nothing but the protocol core, linked as a module: all that it needs must be in a kernel. */
#include <linux/module.h>

#include "conn.h"

/* Called, so that the linker cannot leave anything out. */
static int __init nqd_proto_check_init(void)
{
	static struct nqd_conn conn;
	struct nqd_conn_config config = {};
	const char *why = NULL;

	if (nqd_conn_init(&conn, &config, 0, &why) != -EINVAL || !why)
		return -EIO;
	pr_info("refused as it should: %s\n", why);
	return 0;
}
module_init(nqd_proto_check_init);

static void __exit nqd_proto_check_exit(void)
{
}
module_exit(nqd_proto_check_exit);

MODULE_DESCRIPTION("The protocol core alone");
MODULE_LICENSE("Dual BSD/GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * nexus_quic_dco: the data path of a QUIC tunnel in the kernel. Loading and unloading.
 */
#include <linux/module.h>

#include "crypto_job.h"
#include "debugfs.h"
#include "device.h"
#include "netlink.h"
#include "netns.h"
#include "session.h"
#include "uapi/nexus_quic_dco_layout.h"
#include "version.h"

static int __init nqd_init(void)
{
	int err;

	err = nqd_session_init();
	if (err)
		return err;
	err = nqd_crypto_job_init();
	if (err)
		goto err_session;
	err = nqd_net_init();
	if (err)
		goto err_crypto_job;
	err = nqd_device_init();
	if (err)
		goto err_net;
	err = nqd_netlink_init();
	if (err)
		goto err_device;
	nqd_debugfs_init();
	return 0;

err_device:
	nqd_device_exit();
err_net:
	nqd_net_exit();
err_crypto_job:
	nqd_crypto_job_exit();
err_session:
	nqd_session_exit();
	return err;
}

static void __exit nqd_exit(void)
{
	nqd_debugfs_exit();
	/*
	 * Commands first: none can make a device that nqd_device_exit() has passed over. Devices that go
	 * after that are nobody's event.
	 */
	nqd_netlink_exit();
	nqd_device_exit();
	nqd_net_exit();
	/* Packets that are still on their way through a cipher hold sessions. */
	nqd_crypto_job_exit();
	nqd_session_exit();
}

module_init(nqd_init);
module_exit(nqd_exit);

MODULE_DESCRIPTION("QUIC tunnel data path (1-RTT DATAGRAM)");
MODULE_LICENSE("GPL");
MODULE_VERSION(NQD_MODULE_VERSION);
MODULE_ALIAS_GENL_FAMILY(NQD_FAMILY_NAME);

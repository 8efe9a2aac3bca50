// SPDX-License-Identifier: GPL-2.0
/* Does setup_udp_tunnel_sock() take the sock itself (7.x)? */
#include <net/udp_tunnel.h>

void nqd_probe(struct net *net, struct sock *sk, struct udp_tunnel_sock_cfg *cfg);
void nqd_probe(struct net *net, struct sock *sk, struct udp_tunnel_sock_cfg *cfg)
{
	setup_udp_tunnel_sock(net, sk, cfg);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traffic secrets (v2 key installation): packet protection keys come of them, and their successors
 * (RFC 9001 sections 5.1 and 6.1).
 */
#ifndef _NQD_SECRETS_H
#define _NQD_SECRETS_H

#include "proto/keys.h"
#include "suite.h"

struct nqd_key;
struct nqd_secrets;

struct nqd_secrets *nqd_secrets_alloc(const struct nqd_suite *suite, const struct nqd_traffic_secret *rx,
				      const struct nqd_traffic_secret *tx, u64 generation, const char **why);
void nqd_secrets_free(struct nqd_secrets *secrets);
struct nqd_key *nqd_secrets_key(const struct nqd_secrets *secrets, enum nqd_keys_dir dir, const char **why);
struct nqd_key *nqd_secrets_next(struct nqd_secrets *secrets, enum nqd_keys_dir dir, const char **why);
struct nqd_key *nqd_secrets_previous(const struct nqd_secrets *secrets,
				     const struct nqd_traffic_secret *previous,
				     const char **why);
u64 nqd_secrets_generation(const struct nqd_secrets *secrets, enum nqd_keys_dir dir);

#endif /* _NQD_SECRETS_H */

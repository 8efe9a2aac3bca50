// SPDX-License-Identifier: GPL-2.0
/*
 * A cipher that completes when a test wants it to, for what crypto_job.c does then. It is AES-GCM, by the
 * kernel's own.
 */
#include <crypto/internal/aead.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "tests/async_aead.h"

/* What a request keeps while it waits. */
struct nqd_async_request {
	struct list_head node;
	struct aead_request *request;
	int err;
};

/* Requests that wait, and when one is completed. */
static struct {
	/* Protects what follows. */
	spinlock_t lock;
	struct list_head waiting;
	enum nqd_async_mode mode;
} nqd_async;

static void nqd_async_release(struct work_struct *work)
{
	nqd_async_complete();
}

static DECLARE_WORK(nqd_async_work, nqd_async_release);

/**
 * nqd_async_set() - say when requests complete
 * @mode: when
 */
void nqd_async_set(enum nqd_async_mode mode)
{
	nqd_async.mode = mode;
}

/**
 * nqd_async_complete() - complete all requests that wait
 */
void nqd_async_complete(void)
{
	struct nqd_async_request *waiting, *next;
	LIST_HEAD(list);

	spin_lock_bh(&nqd_async.lock);
	list_splice_init(&nqd_async.waiting, &list);
	spin_unlock_bh(&nqd_async.lock);
	list_for_each_entry_safe(waiting, next, &list, node) {
		list_del(&waiting->node);
		local_bh_disable();
		aead_request_complete(waiting->request, waiting->err);
		local_bh_enable();
	}
}

static int nqd_async_crypt(struct aead_request *request, bool seal)
{
	struct crypto_aead **child = crypto_aead_ctx(crypto_aead_reqtfm(request));
	struct nqd_async_request *waiting = aead_request_ctx(request);
	struct aead_request *inner = (struct aead_request *)(waiting + 1);

	aead_request_set_tfm(inner, *child);
	aead_request_set_callback(inner, 0, NULL, NULL);
	aead_request_set_crypt(inner, request->src, request->dst, request->cryptlen, request->iv);
	aead_request_set_ad(inner, request->assoclen);
	waiting->request = request;
	waiting->err = seal ? crypto_aead_encrypt(inner) : crypto_aead_decrypt(inner);
	switch (nqd_async.mode) {
	case NQD_ASYNC_AT_ONCE:
		return waiting->err;
	case NQD_ASYNC_BEFORE_RETURN:
		aead_request_complete(request, waiting->err);
		return -EINPROGRESS;
	default:
		break;
	}
	spin_lock_bh(&nqd_async.lock);
	list_add_tail(&waiting->node, &nqd_async.waiting);
	spin_unlock_bh(&nqd_async.lock);
	if (nqd_async.mode == NQD_ASYNC_LATER)
		schedule_work(&nqd_async_work);
	return -EINPROGRESS;
}

static int nqd_async_encrypt(struct aead_request *request)
{
	return nqd_async_crypt(request, true);
}

static int nqd_async_decrypt(struct aead_request *request)
{
	return nqd_async_crypt(request, false);
}

static int nqd_async_setkey(struct crypto_aead *aead, const u8 *key, unsigned int len)
{
	struct crypto_aead **child = crypto_aead_ctx(aead);

	return crypto_aead_setkey(*child, key, len);
}

static int nqd_async_setauthsize(struct crypto_aead *aead, unsigned int size)
{
	struct crypto_aead **child = crypto_aead_ctx(aead);

	return crypto_aead_setauthsize(*child, size);
}

static int nqd_async_init_tfm(struct crypto_aead *aead)
{
	struct crypto_aead **child = crypto_aead_ctx(aead);

	/* Here, in process context, it does complete at once. */
	*child = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(*child))
		return PTR_ERR(*child);
	crypto_aead_set_reqsize(aead, sizeof(struct nqd_async_request) + sizeof(struct aead_request) +
				      crypto_aead_reqsize(*child));
	return 0;
}

static void nqd_async_exit_tfm(struct crypto_aead *aead)
{
	struct crypto_aead **child = crypto_aead_ctx(aead);

	crypto_free_aead(*child);
}

static struct aead_alg nqd_async_alg = {
	.setkey = nqd_async_setkey,
	.setauthsize = nqd_async_setauthsize,
	.encrypt = nqd_async_encrypt,
	.decrypt = nqd_async_decrypt,
	.init = nqd_async_init_tfm,
	.exit = nqd_async_exit_tfm,
	.ivsize = 12,
	.maxauthsize = 16,
	.base = {
		.cra_name = NQD_ASYNC_AEAD,
		.cra_driver_name = NQD_ASYNC_AEAD "-driver",
		.cra_priority = 1,
		.cra_flags = CRYPTO_ALG_ASYNC,
		.cra_blocksize = 1,
		.cra_ctxsize = sizeof(struct crypto_aead *),
		.cra_module = THIS_MODULE,
	},
};

/**
 * nqd_async_register() - make the cipher known
 *
 * Return: 0 or a negative error.
 */
int nqd_async_register(void)
{
	spin_lock_init(&nqd_async.lock);
	INIT_LIST_HEAD(&nqd_async.waiting);
	return crypto_register_aead(&nqd_async_alg);
}

/**
 * nqd_async_unregister() - take it away again
 */
void nqd_async_unregister(void)
{
	cancel_work_sync(&nqd_async_work);
	crypto_unregister_aead(&nqd_async_alg);
}

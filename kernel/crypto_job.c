// SPDX-License-Identifier: GPL-2.0
/*
 * Sealing and opening packets.
 */
#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/unaligned.h>
#include <linux/wait.h>

#include "compat/datapath.h"
#include "crypto_job.h"

/* Jobs in the pool for each CPU, and at most: packets that may be on their way at a time. */
#define NQD_CRYPTO_JOBS_PER_CPU 64
#define NQD_CRYPTO_JOBS_MAX 1024

/* Who looks at a job after a call that said that it will complete later: the last of the two finishes it. */
enum nqd_crypto_job_state {
	NQD_CRYPTO_JOB_CALLED,
	NQD_CRYPTO_JOB_HELD,
	NQD_CRYPTO_JOB_COMPLETED,
};

/* The pool: jobs that no CPU has and no packet. @out counts what packets keep. */
static struct {
	/* Protects what follows; taken only where a cipher completes later. */
	spinlock_t lock;
	struct nqd_crypto_job *free;
	u32 out;
	wait_queue_head_t idle;
} nqd_crypto_pool;

DEFINE_PER_CPU(struct nqd_crypto_job *, nqd_crypto_job);

static void nqd_crypto_pool_put(struct nqd_crypto_job *job, bool was_out)
{
	unsigned long flags;

	spin_lock_irqsave(&nqd_crypto_pool.lock, flags);
	job->next = nqd_crypto_pool.free;
	nqd_crypto_pool.free = job;
	if (was_out && !--nqd_crypto_pool.out)
		wake_up(&nqd_crypto_pool.idle);
	spin_unlock_irqrestore(&nqd_crypto_pool.lock, flags);
}

/* A job for this CPU: @out: a packet keeps the one it had. */
static struct nqd_crypto_job *nqd_crypto_pool_get(bool out)
{
	struct nqd_crypto_job *job;
	unsigned long flags;

	spin_lock_irqsave(&nqd_crypto_pool.lock, flags);
	job = nqd_crypto_pool.free;
	if (job)
		nqd_crypto_pool.free = job->next;
	if (out)
		nqd_crypto_pool.out++;
	spin_unlock_irqrestore(&nqd_crypto_pool.lock, flags);
	return job;
}

static void nqd_crypto_job_finish(struct nqd_crypto_job *job)
{
	struct nqd_crypto_op op = job->op;
	int err = job->err;

	/* First what the packet refers to: when the last job is back nobody uses a session any more. */
	local_bh_disable();
	op.done(&op, err);
	nqd_crypto_pool_put(job, true);
	local_bh_enable();
}

static void nqd_crypto_job_complete(NQD_CRYPTO_COMPLETION_PARAMETERS)
{
	struct nqd_crypto_job *job = nqd_compat_completion_data(data);

	/* It was in the driver's backlog and is not any more; the result is still to come. */
	if (err == -EINPROGRESS)
		return;
	job->err = err;
	/* Full barriers both here and in nqd_crypto_job_keep(): the last one sees all. */
	if (atomic_cmpxchg(&job->state, NQD_CRYPTO_JOB_CALLED, NQD_CRYPTO_JOB_COMPLETED) !=
	    NQD_CRYPTO_JOB_CALLED)
		nqd_crypto_job_finish(job);
}

/* The cipher completes later, or has done so by now: the packet keeps the job of this CPU. */
static void nqd_crypto_job_keep(struct nqd_crypto_job *job, struct nqd_crypto_op *op)
{
	this_cpu_write(nqd_crypto_job, nqd_crypto_pool_get(true));
	job->op = *op;
	op->hold(&job->op);
	if (atomic_cmpxchg(&job->state, NQD_CRYPTO_JOB_CALLED, NQD_CRYPTO_JOB_HELD) != NQD_CRYPTO_JOB_CALLED)
		nqd_crypto_job_finish(job);
}

/**
 * nqd_crypto_job_take() - have a job on this CPU, where the pool had none left when it needed another one
 *
 * Context: BH off.
 *
 * Return: the job of this CPU from now on, or NULL.
 */
struct nqd_crypto_job *nqd_crypto_job_take(void)
{
	struct nqd_crypto_job *job = nqd_crypto_pool_get(false);

	if (job)
		this_cpu_write(nqd_crypto_job, job);
	return job;
}

static int nqd_crypto_run(struct nqd_crypto_op *op, bool seal)
{
	struct nqd_crypto_job *job;
	int err;

	job = nqd_crypto_job_ready(op->key, op->datagram, op->len, &op->header, seal);
	if (IS_ERR(job))
		return PTR_ERR(job);
	atomic_set(&job->state, NQD_CRYPTO_JOB_CALLED);
	err = seal ? crypto_aead_encrypt(&job->request) : crypto_aead_decrypt(&job->request);
	if (err != -EINPROGRESS)
		return err;
	nqd_crypto_job_keep(job, op);
	return -EINPROGRESS;
}

/**
 * nqd_crypto_seal() - encrypt a packet, in place
 * @op: packet: header, packet number, frames, and 16 bytes for the tag
 *
 * Context: BH off.
 *
 * Return: 0 if it is done; -EINPROGRESS if it is held and op->done() will be called, or has been;
 * -ENOBUFS if too many packets are held, -EBADMSG if it is too short, or another error if the cipher failed.
 */
int nqd_crypto_seal(struct nqd_crypto_op *op)
{
	return nqd_crypto_run(op, true);
}

/**
 * nqd_crypto_open() - authenticate and decrypt a packet, in place
 * @op: packet
 *
 * Context: BH off.
 *
 * Return: as nqd_crypto_seal(); -EBADMSG if it is not authentic, and what follows the header means nothing
 * then.
 */
int nqd_crypto_open(struct nqd_crypto_op *op)
{
	return nqd_crypto_run(op, false);
}

static struct nqd_crypto_job *nqd_crypto_job_alloc(void)
{
	struct nqd_crypto_job *job = kzalloc(sizeof(*job) + NQD_CRYPTO_REQUEST_SIZE, GFP_KERNEL);

	if (!job)
		return NULL;
	sg_init_table(&job->sg, 1);
	/* No backlog: a driver whose queue is full refuses, and the packet is dropped. */
	aead_request_set_callback(&job->request, 0, nqd_crypto_job_complete, job);
	return job;
}

static void nqd_crypto_jobs_free(void)
{
	struct nqd_crypto_job *job;
	int cpu;

	for_each_possible_cpu(cpu) {
		kfree_sensitive(per_cpu(nqd_crypto_job, cpu));
		per_cpu(nqd_crypto_job, cpu) = NULL;
	}
	while ((job = nqd_crypto_pool.free)) {
		nqd_crypto_pool.free = job->next;
		kfree_sensitive(job);
	}
}

/**
 * nqd_crypto_job_init() - fill the pool
 *
 * Return: 0 or -ENOMEM.
 */
int nqd_crypto_job_init(void)
{
	u32 jobs = min_t(u32, num_possible_cpus() * NQD_CRYPTO_JOBS_PER_CPU, NQD_CRYPTO_JOBS_MAX);
	struct nqd_crypto_job *job;
	int cpu;

	spin_lock_init(&nqd_crypto_pool.lock);
	init_waitqueue_head(&nqd_crypto_pool.idle);
	for_each_possible_cpu(cpu) {
		job = nqd_crypto_job_alloc();
		if (!job)
			goto err_jobs;
		per_cpu(nqd_crypto_job, cpu) = job;
	}
	while (jobs--) {
		job = nqd_crypto_job_alloc();
		if (!job)
			goto err_jobs;
		nqd_crypto_pool_put(job, false);
	}
	return 0;

err_jobs:
	nqd_crypto_jobs_free();
	return -ENOMEM;
}

/**
 * nqd_crypto_job_exit() - wait for the packets that are held, then free the pool
 *
 * Nobody seals or opens any more.
 */
void nqd_crypto_job_exit(void)
{
	wait_event(nqd_crypto_pool.idle, !READ_ONCE(nqd_crypto_pool.out));
	/* Whoever brought the last one back did so with BH off, and may not have returned yet. */
	synchronize_net();
	nqd_crypto_jobs_free();
}

// SPDX-License-Identifier: BSD-3-Clause
/* The engine itself: making and freeing it, its lock, finding what an id names. */
#include "engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

u64 nqe_engine_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_nsec;
}

/*
 * POSIX mutexes are not fair: a loop that unlocks only to lock again would never let anybody in.
 * Whoever wants the lock holds the turnstile meanwhile, and the loop has to pass it too.
 */
void nqe_engine_lock(struct nqe_engine *e)
{
	pthread_mutex_lock(&e->turnstile);
	pthread_mutex_lock(&e->lock);
	pthread_mutex_unlock(&e->turnstile);
	e->now = nqe_engine_clock();
}

void nqe_engine_unlock(struct nqe_engine *e)
{
	pthread_mutex_unlock(&e->lock);
}

struct nqe_device *nqe_engine_device(struct nqe_engine *e, u32 id)
{
	u32 i;

	for (i = 0; i < NQE_MAX_DEVICES; i++)
		if (id && e->device[i].id == id)
			return &e->device[i];
	return NULL;
}

struct nqe_socket *nqe_engine_socket(struct nqe_engine *e, u32 id)
{
	u32 i;

	for (i = 0; i < NQE_MAX_SOCKETS; i++)
		if (id && e->socket[i].id == id)
			return &e->socket[i];
	return NULL;
}

struct nqe_session *nqe_engine_session(struct nqe_engine *e, u32 id)
{
	struct nqe_session *s;

	for (s = e->sessions; s; s = s->next)
		if (s->id == id && !s->dead)
			return s;
	return NULL;
}

struct nqe_engine *nqe_engine_new(void)
{
	struct nqe_engine *e = calloc(1, sizeof(*e));
	int err = ENOMEM;

	if (!e)
		return NULL;
	pthread_mutex_init(&e->turnstile, NULL);
	pthread_mutex_init(&e->lock, NULL);
	e->reading = true;
	e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	e->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e->out.data = malloc(NQE_UDP_MAX_SEND);
	e->frames = malloc(NQE_FRAMES_ROOM);
	if (e->wake_fd < 0 || e->event_fd < 0 || e->epoll_fd < 0) {
		err = errno;
	} else if (e->out.data && e->frames && !nqe_udp_batch_init(&e->batch)) {
		err = -nqe_lookup_init(&e->lookup);
		if (!err)
			err = -nqe_loop_watch(e, e->wake_fd, NULL, true);
	}
	if (!err)
		return e;
	nqe_engine_free(e);
	errno = err;
	return NULL;
}

void nqe_engine_free(struct nqe_engine *e)
{
	u32 i;

	if (!e)
		return;
	while (e->sessions)
		nqe_control_free_session(e, e->sessions);
	for (i = 0; i < NQE_MAX_DEVICES; i++)
		if (e->device[i].id)
			nqe_device_remove(e, e->device[i].id);
	for (i = 0; i < NQE_MAX_SOCKETS; i++)
		if (e->socket[i].id)
			nqe_socket_remove(e, e->socket[i].id);
	nqe_pool_put(&e->pool, e->spare);
	nqe_pool_free(&e->pool);
	nqe_lookup_free(&e->lookup);
	nqe_udp_batch_free(&e->batch);
	free(e->heap);
	free(e->out.data);
	free(e->frames);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	if (e->event_fd >= 0)
		close(e->event_fd);
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->turnstile);
	free(e);
}

void nqe_engine_stop(struct nqe_engine *e)
{
	__atomic_store_n(&e->stop, true, __ATOMIC_RELEASE);
	nqe_loop_wake(e);
}

int nqe_engine_event_fd(const struct nqe_engine *e)
{
	return e->event_fd;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names and labels of the model's enums, from the .def files. */
#include "model/pool.h"
#include "model/snapshot.h"

struct words {
	const char *name, *label;
};

/* clang-format off */
static const struct words parts[PART_COUNT] = {
#define PART(id, name, label) [id] = { name, label },
#include "model/part.def"
#undef PART
};

static const struct words losses[LOSS_COUNT] = {
#define LOSS(id, name, label) [id] = { name, label },
#include "model/loss.def"
#undef LOSS
};

static const struct words models[CONCURRENCY_COUNT] = {
#define CONCURRENCY(id, name, label) [id] = { name, label },
#include "model/concurrency.def"
#undef CONCURRENCY
};

static const struct words pool_states[POOL_STATE_COUNT] = {
#define POOL(id, name, label) [id] = { name, label },
#include "model/pool.def"
#undef POOL
};
/* clang-format on */

static const char *const modules_seen[MODULES_SEEN_COUNT] = {
	[MODULES_NONE] = "none", [MODULES_PART] = "part", [MODULES_ALL] = "all"};

static const char *const codes[CODE_COUNT] = {
	[CODE_APPLICATION] = "application", [CODE_SERVER] = "server",
	[CODE_FRAMEWORK] = "framework",	    [CODE_CLIENT] = "client",
	[CODE_UNKNOWN] = "unknown",
};

const char *code_name(enum code code)
{
	return (unsigned int)code < CODE_COUNT ? codes[code] : "?";
}

static const struct words unknown = {"?", "?"};

/* The cast makes a negative value too large as well. */
static const struct words *words_of(const struct words *table, unsigned int count, unsigned int i)
{
	return i < count ? &table[i] : &unknown;
}

const char *part_name(enum part part)
{
	return words_of(parts, PART_COUNT, (unsigned int)part)->name;
}

const char *part_label(enum part part)
{
	return words_of(parts, PART_COUNT, (unsigned int)part)->label;
}

const char *loss_name(enum loss loss)
{
	return words_of(losses, LOSS_COUNT, (unsigned int)loss)->name;
}

const char *loss_label(enum loss loss)
{
	return words_of(losses, LOSS_COUNT, (unsigned int)loss)->label;
}

const char *concurrency_name(enum concurrency concurrency)
{
	return words_of(models, CONCURRENCY_COUNT, (unsigned int)concurrency)->name;
}

const char *concurrency_label(enum concurrency concurrency)
{
	return words_of(models, CONCURRENCY_COUNT, (unsigned int)concurrency)->label;
}

const char *modules_seen_name(enum modules_seen seen)
{
	return (unsigned int)seen < MODULES_SEEN_COUNT ? modules_seen[seen] : unknown.name;
}

const char *pool_state_name(enum pool_state state)
{
	return words_of(pool_states, POOL_STATE_COUNT, (unsigned int)state)->name;
}

const char *pool_state_label(enum pool_state state)
{
	return words_of(pool_states, POOL_STATE_COUNT, (unsigned int)state)->label;
}

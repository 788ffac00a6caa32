/* A mask's options, and the rounds in which it is made. */
#include <inttypes.h>

#include "mask.h"

#define ROW(key, field) .name = #key, .offset = offsetof(rh_mask_options, field)
/* Whole numbers up to here are exact in a double, in which ranges are compared. */
#define ROUNDS_MAX 9007199254740992.0

const rh_option rh_mask_rows[] = {
    {ROW(mask, kind), .kind = RH_OPTION_CHOICE, .fallback = "none", .choices = "none magnitude nm random",
     .help =
         "which weights the training step leaves out: the smallest (magnitude), the smallest but mask_n of every "
         "mask_m neighbours in a row (nm), or random ones; biases and norms stay. Not with method ab, whose factors "
         "have no zeros, feedback step-ahead, whose workers differ in what they still have to send, nor compressors "
         "that keep a state as large as the model (dgc, lowrank)"},
    {ROW(sparsity, sparsity), .kind = RH_OPTION_REAL, .fallback = "0.8", .min = 0, .max = 1,
     .help = "share of zeros among the weights of a mask magnitude or random"},
    {ROW(mask_n, n), .kind = RH_OPTION_INTEGER, .fallback = "2", .min = 1, .max = 65536,
     .help = "of mask nm: weights kept of every mask_m"},
    {ROW(mask_m, m), .kind = RH_OPTION_INTEGER, .fallback = "4", .min = 1, .max = 65536,
     .help = "of mask nm: neighbours in a row; the default 2 of 4 is the pattern of sparse tensor cores"},
    {ROW(mask_scope, scope), .kind = RH_OPTION_CHOICE, .fallback = "global", .choices = "global layer",
     .help = "whether sparsity holds for all weights together or within each layer"},
    {ROW(mask_ends, ends), .kind = RH_OPTION_SWITCH, .fallback = "on",
     .help = "whether the model's first and last weight are masked, too"},
    {ROW(mask_schedule, schedule), .kind = RH_OPTION_CHOICE, .fallback = "fixed", .choices = "fixed gradual ac-dc",
     .help = "when masks are made: once, with growing sparsity (Zhu and Gupta 2018), or for every sparse turn between "
             "dense ones (Peste et al. 2021)"},
    {ROW(mask_start, start), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = ROUNDS_MAX,
     .help = "first rounds, which are dense; of gradual the growth starts there"},
    {ROW(mask_end, end), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = ROUNDS_MAX,
     .help = "round from which on gradual is at its sparsity and ac-dc stays sparse; 0: three quarters of all"},
    {ROW(mask_every, every), .kind = RH_OPTION_INTEGER, .fallback = "10", .min = 1, .max = ROUNDS_MAX,
     .help = "of gradual: rounds between masks"},
    {ROW(mask_sparse, sparse_rounds), .kind = RH_OPTION_INTEGER, .fallback = "50", .min = 1, .max = ROUNDS_MAX,
     .help = "of ac-dc: rounds of a sparse turn; its authors take 5 epochs of 100"},
    {ROW(mask_dense, dense_rounds), .kind = RH_OPTION_INTEGER, .fallback = "50", .min = 1, .max = ROUNDS_MAX,
     .help = "of ac-dc: rounds of a dense turn"},
};
const size_t rh_mask_row_count = RH_COUNT(rh_mask_rows);

static int64_t end_of(const rh_mask_options *o, int64_t rounds)
{
  return o->end > 0 ? o->end : rounds - rounds / 4;
}

/* Of gradual: masks after the start, the last one with all the sparsity. */
static int64_t gradual_steps(const rh_mask_options *o, int64_t rounds)
{
  const int64_t span = end_of(o, rounds) - o->start;
  return span / o->every + (span % o->every != 0);
}

rh_mask_turn rh_mask_turn_at(const rh_mask_options *o, int64_t t, int64_t rounds)
{
  const int64_t end = end_of(o, rounds);
  RH_ASSERT(o->kind != RH_MASK_NONE && t >= 0);
  if (t < o->start) return (rh_mask_turn){0};
  if (o->schedule == RH_MASK_FIXED) return (rh_mask_turn){1, true, o->sparsity};
  if (o->schedule == RH_MASK_GRADUAL) {
    const int64_t steps = gradual_steps(o, rounds), due = (t - o->start) / o->every, k = due < steps ? due : steps;
    const double left = k == steps ? 0 : 1 - (double)(k * o->every) / (double)(end - o->start);
    return (rh_mask_turn){k, k > 0, o->sparsity * (1 - left * left * left)};
  }
  const int64_t length = o->sparse_rounds + o->dense_rounds, at = (t < end ? t : end) - o->start;
  const bool sparse = at % length < o->sparse_rounds;
  const int64_t number = 2 * (at / length) + (sparse ? 1 : 2);
  if (t >= end && !sparse) return (rh_mask_turn){number + 1, true, o->sparsity}; /* the end cuts a dense turn off */
  return (rh_mask_turn){number, sparse, sparse ? o->sparsity : 0};
}

static rh_status check_schedule(const rh_mask_options *o, int64_t rounds)
{
  const int64_t end = end_of(o, rounds);
  if (o->start >= rounds)
    return rh_error(RH_EINVAL, "train.mask_start %" PRId64 " leaves no round of %" PRId64 " for a mask; take less",
                    o->start, rounds);
  if (o->schedule == RH_MASK_FIXED) return RH_OK;
  if (end <= o->start || end >= rounds)
    return rh_error(RH_EINVAL,
                    "train.mask_end %" PRId64 "%s must come after train.mask_start %" PRId64
                    " and before the end of %" PRId64 " rounds",
                    end, o->end > 0 ? "" : " (three quarters of the rounds)", o->start, rounds);
  if (o->schedule == RH_MASK_ACDC && o->sparse_rounds >= end - o->start)
    return rh_error(RH_EINVAL,
                    "train.mask_sparse %" PRId64 ": the first sparse turn, from round %" PRId64
                    " on, reaches train.mask_end %" PRId64
                    ", and no dense turn follows; take a smaller mask_sparse, or mask_schedule: fixed",
                    o->sparse_rounds, o->start, end);
  if (o->schedule == RH_MASK_ACDC) return RH_OK;
  if (gradual_steps(o, rounds) > (rounds - 1 - o->start) / o->every)
    return rh_error(RH_EINVAL,
                    "train.mask_every %" PRId64 ": the first mask at or after train.mask_end %" PRId64
                    ", which has all the sparsity, would come after the last of %" PRId64
                    " rounds; take a smaller mask_every or mask_end",
                    o->every, end, rounds);
  return RH_OK;
}

static bool masks_something(const rh_mask_options *o, const rh_model *model)
{
  int weights = 0;
  for (int l = 0; l < model->layer_count; l++)
    weights += rh_layer_is_product(&model->layers[l]);
  return weights > (o->ends ? 0 : 2);
}

rh_status rh_mask_check(const rh_mask_options *o, const rh_model *model, int64_t rounds)
{
  if (o->kind == RH_MASK_NONE) return RH_OK;
  if (o->kind == RH_MASK_NM && o->n > o->m)
    return rh_error(RH_EINVAL, "train.mask_n %" PRId64 " is more than train.mask_m %" PRId64 ", of which it is kept",
                    o->n, o->m);
  if (o->kind == RH_MASK_NM && o->schedule == RH_MASK_GRADUAL)
    return rh_error(RH_EUNSUPPORTED, "train.mask: nm has one sparsity, which cannot grow; use mask_schedule: fixed or "
                                     "ac-dc, or mask: magnitude");
  if (!masks_something(o, model))
    return rh_error(RH_EINVAL,
                    "train.mask_ends: off leaves no weight of model %s to be masked, since it has no more than "
                    "a first and a last one; use mask_ends: on",
                    model->name);
  if (o->kind != RH_MASK_NM && rh_mask_least_kept(o, model) == 0)
    return rh_error(RH_EINVAL, "train.sparsity %.9g leaves no weight of %smodel %s; take less", o->sparsity,
                    o->scope == RH_MASK_LAYER ? "the smallest layer of " : "", model->name);
  return check_schedule(o, rounds);
}

/* AB-training: low-rank factors of the weights, trained by independent groups of ranks.
 *
 * Symbols     N ranks in groups of g, W a weight's matrix, A B its factors (factor.h), Tw, Ts, Td the periods
 *             (ab_phase.h), R rounds of the learning rate's ramp
 *
 *     FULL    g = mean over all N of grad f_i(W);  W, 1-D and dense tensors are stepped: plain data parallel
 *     AB      W = A B;  the first half of the groups train A, the others B, all of them the 1-D and dense tensors:
 *               dA = mean over the group of grad f_i(W) B^T     (B-groups: dB = mean of A^T grad f_i(W))
 *             nothing travels between groups
 *     SYNC    before FULL is entered again: 1-D and dense tensors become their average over N, and
 *               with-stale      A and B the averages over all groups, the frozen copies included
 *               only-learned    A the average over A-groups, B over B-groups
 *               full            W the average of A B over N
 *               only-b          nothing: there is one group of all ranks, and all train B
 *
 * At a phase change parameters come from rank 0; moments stay, those of factors cropped or padded with zeros to the new
 * rank; the learning rate starts again: min(schedule, k (its value then - smallest) / R), k = 1 .. R: none at all where
 * the schedule is at its smallest already, as in a cosine's cool-down. Gradients are
 * linear in the samples, so a group's mean is multiplied with the frozen factor once, not each rank's gradient.
 * Groups hold one copy of weights and moments each, and all the same one before AB is entered for the first time.
 *
 * Source      Coquelin et al., AB-training: a communication-efficient approach for distributed low-rank learning,
 *             arXiv 2405.01067, and the authors' code (Helmholtz-AI-Energy/AB-Training)
 */
#include <inttypes.h>
#include <math.h>

#include "method_ab.h"

#define PERIOD_MAX 9007199254740992.0

static const rh_option options[] = {
    {.name = "ab_warmup",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(ab_options, warm_up),
     .fallback = "-1",
     .min = -1,
     .max = PERIOD_MAX,
     .help = "rounds of plain data parallel training at the start; -1: the share that VGG16 has in the paper, 28.9 %"},
    {.name = "ab_period",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(ab_options, period),
     .fallback = "-1",
     .min = -1,
     .max = PERIOD_MAX,
     .help = "rounds between synchronisations; -1: VGG16's share, 5.06 %"},
    {.name = "ab_rebound",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(ab_options, rebound),
     .fallback = "-1",
     .min = -1,
     .max = PERIOD_MAX,
     .help = "rounds of full rank after a synchronisation; -1: VGG16's share, .4 %, at least one"},
    {.name = "ab_ramp",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(ab_options, ramp),
     .fallback = "-1",
     .min = -1,
     .max = PERIOD_MAX,
     .help = "rounds in which the learning rate rises again after a phase change, 0: none; -1: VGG16's share, 1.78 %"},
    {.name = "ab_sync",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(ab_options, sync),
     .fallback = "with-stale",
     .choices = "with-stale only-learned full only-b",
     .help = "what is averaged at a synchronisation; only-b: one group, in which everybody trains B"},
    {.name = "rank_cut",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(ab_options, rank_cut),
     .fallback = "0.15",
     .min = 0,
     .max = 0.999,
     .help = "singular values up to this share of the largest are cut off; from 1 on no rank would be left"},
    {.name = "groups",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(ab_options, groups),
     .fallback = "zones",
     .choices = "zones blocks",
     .help = "groups are the platform's innermost zones (nodes), or blocks of `group_size` consecutive ranks"},
    {.name = "group_size",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(ab_options, group_size),
     .fallback = "4",
     .min = 1,
     .max = 1e6,
     .help = "ranks in a group of `groups: blocks`"},
    {.name = "dense_ends",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(ab_options, dense_ends),
     .fallback = "on",
     .help = "whether the first and the last weight stay dense, as in the paper"},
};

/* A period as given, or the share of the rounds that it has in the paper's run of VGG16 on CIFAR-10. */
static int64_t scaled(int64_t given, int64_t rounds, int64_t vgg16_steps, int64_t least)
{
  enum { VGG16_STEPS = 15000 }; /* 150 epochs of 100 */
  if (given >= 0) return given;
  const int64_t share = llround((double)rounds * (double)vgg16_steps / VGG16_STEPS);
  return share < least ? least : share;
}

static rh_ab_periods periods_of(const ab_options *o, int64_t rounds)
{
  rh_ab_periods p = {.warm_up = scaled(o->warm_up, rounds, 4330, 0), .rebound = scaled(o->rebound, rounds, 60, 1)};
  p.synchronise = scaled(o->period, rounds, 759, p.rebound + 1);
  return p;
}

/* How many groups; for zones they are the platform's, of which a prediction knows nothing: 0 then. */
static int32_t count_groups(const ab_options *o, int32_t workers, int32_t zones)
{
  if (o->sync == AB_SYNC_ONLY_B) return 1;
  if (o->groups == AB_GROUPS_BLOCKS) return (int32_t)(((int64_t)workers + o->group_size - 1) / o->group_size);
  return zones ? zones : (workers + 3) / 4;
}

static int32_t copies(const void *method_options, int32_t workers, int32_t zones)
{
  return count_groups(method_options, workers, zones);
}

static bool dense_ends(const void *method_options)
{
  return ((const ab_options *)method_options)->dense_ends;
}

/* Zones are known only with the platform; count_groups guesses before. */
static rh_status check(const rh_world *w)
{
  const ab_options *o = w->method_options;
  if (o->sync == AB_SYNC_ONLY_B || count_groups(o, w->workers, w->zone_count) > 1) return RH_OK;
  return rh_error(RH_EINVAL,
                  "there is one group only, and one half of the groups trains A, the other B: set train.ab_sync to "
                  "only-b, %s",
                  o->groups == AB_GROUPS_ZONES
                      ? "or train.groups to blocks, or take a platform whose workers are in several zones"
                      : "or a smaller train.group_size");
}

static rh_status check_settings(const rh_world *w)
{
  const ab_options *o = w->method_options;
  const bool blocks = o->groups == AB_GROUPS_BLOCKS && o->sync != AB_SYNC_ONLY_B;
  rh_factors factors;
  rh_ab_periods periods = periods_of(o, w->rounds);
  rh_factors_plan(w->model, o->dense_ends, &factors);
  if (!w->compressor->lossless)
    return rh_error(RH_EINVAL,
                    "train.method ab compresses by its factors and sends them as they are: compress.name must be none, "
                    "not %s",
                    w->compressor->name);
  if (factors.count == 0)
    return rh_error(RH_EINVAL,
                    "model %s has nothing to factorise: its first and last weight stay dense and there is none between "
                    "(train.dense_ends: off factorises them, too)",
                    w->model->name);
  if (blocks && w->workers % o->group_size)
    return rh_error(RH_EINVAL,
                    "train.group_size %" PRId64 " does not divide %" PRId32
                    " workers: the last group would be smaller than the others",
                    o->group_size, w->workers);
  rh_status status = rh_ab_check_periods(&periods);
  return status == RH_OK && blocks ? check(w) : status;
}

static rh_status new_state(rh_world *w, void **out)
{
  const ab_options *o = w->method_options;
  const rh_ab_periods periods = periods_of(o, w->rounds);
  ab_state *s = NULL;
  const rh_status status =
      ab_new_state(w, &periods, scaled(o->ramp, w->rounds, 267, 1), count_groups(o, w->workers, w->zone_count), &s);
  *out = s;
  return status;
}

/* Phase changes after `t` finished steps: their values and their traffic. */
static rh_status change_phase(rh_world *w, ab_state *s, int64_t t, double scheduled_lr)
{
  rh_status status = RH_OK;
  const rh_ab_change change = rh_ab_change_after(&s->periods, t, s->in_ab);
  if (change == RH_AB_STAY || s->diverged) return RH_OK;
  bool finite;
  RH_TRY(ab_finite(w, s, &finite));
  s->diverged = !finite;
  if (s->diverged) return RH_OK;
  s->ramp_start = t;
  s->ramp_lr = scheduled_lr;
  if (change == RH_AB_LEAVE) {
    ab_append_synchronise(w, s);
    ab_append_leave(w, s);
    ab_synchronise(w, s);
    ab_leave(w, s);
    return RH_OK;
  }
  const bool cut = change == RH_AB_ENTER_CUT;
  if (!s->apart) rh_replicas_share(w->replicas, s->group_count, s->group_of);
  if (!s->apart) ab_spread(w, s);
  s->apart = true;
  RH_TRY(ab_enter(w, s, cut));
  ab_append_enter(w, s, cut);
done:
  return status;
}

/* The schedule's rate, or less for some rounds after a phase change. */
static double ramped(const rh_world *w, const ab_state *s, int64_t t, double scheduled_lr)
{
  const int64_t k = t - s->ramp_start + 1;
  if (s->ramp_start < 0 || k > s->ramp) return scheduled_lr;
  const double rise = fmax(s->ramp_lr - w->lr_min, 0); /* factors of lr_steps go below lr_min */
  return fmin(scheduled_lr, (double)k * rise / (double)s->ramp);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double scheduled_lr)
{
  rh_status status = RH_OK;
  ab_state *s = opaque;
  RH_TRY(change_phase(w, s, t, scheduled_lr));
  const double lr = ramped(w, s, t, scheduled_lr);
  RH_TRY(ab_sum_gradients(w, s, t));
  ab_step(w, s, t, lr);
  ab_append_step(w, s);
  w->learning_rate = lr;
  rh_world_take_losses(w, s->loss);
  if (s->diverged) w->train_loss = NAN; /* of weights that are not finite, even where a ReLU takes that for 0 */
  w->phase = s->in_ab ? "AB" : "FULL";
  w->compression_ratio = s->in_ab ? rh_factors_ratio(&s->factors) : 1;
  w->rank_count = s->in_ab ? s->factors.count : 0;
  for (int k = 0; k < s->factors.count; k++)
    s->ranks[k] = s->factors.list[k].rank;
  w->ranks = s->ranks;
  w->rank_names = s->rank_names;
done:
  return status;
}

/* Whatever the settings: rows are touched by the backend's operations alone. */
static bool stays_on_device(const rh_world *w)
{
  (void)w;
  return true;
}

const rh_method rh_method_ab = {
    .name = "ab",
    .summary = "AB-training: low-rank factors trained in independent groups, full-rank rounds between",
    .source = "Coquelin et al., AB-training, arXiv 2405.01067",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(ab_options),
    .copies = RH_COPIES_GROUPS,
    .needs_values = "keeps as many singular values as are large enough, and its messages grow and shrink with them",
    .group_copies = copies,
    .dense_ends = dense_ends,
    .check = check,
    .check_settings = check_settings,
    .new_state = new_state,
    .free_state = ab_free_state,
    .state_bytes = ab_state_bytes,
    .stays_on_device = stays_on_device,
    .parts = ab_parts,
    .round = round_,
};

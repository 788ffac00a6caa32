/* dirichlet and quantity: shares drawn at random.
 *
 * Symbols     N workers, n_c samples of class c of C, p_c share of each worker in class c (N numbers, sum 1), P_cw sum
 *             of p_c over the workers up to w
 *
 *     dirichlet    p_c ~ Dirichlet(alpha, ..., alpha), for every class anew
 *     quantity     p ~ Dirichlet(alpha, ..., alpha) once, p_c = p: all classes in equal parts, different sizes
 *
 * Of class c worker w holds the samples, in the order of the shuffle, from floor(P_c,w-1 n_c + c/C) to
 * floor(P_cw n_c + c/C): of whole numbers' sums the nearest there are, and since the sum of floor(x + c/C) over c is
 * floor(C x) (Hermite), a worker's size under quantity is right to the sample when classes are equally large. While
 * some worker has none, all is drawn again.
 *
 * source      dirichlet: Yurochkin et al., Bayesian nonparametric federated learning, ICML 2019, and Li et al.,
 *             NIID-Bench, ICDE 2022 (arXiv 2102.02079); Hsu, Qi, Brown, arXiv 1909.06335 draw a worker's classes
 *             instead of a class's workers. quantity: Li et al., who cut one shuffle and do not even the classes out
 */
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "partition_private.h"
#include "rng_gsl.h"

enum { DRAWS_MAX = 100 };

/* What a draw works on. */
typedef struct drawing {
  const rh_split *split;
  int32_t workers;
  double *alpha, *share; /* [N] */
  int64_t *size;         /* [C] n_c */
  int64_t *end;          /* [C][N] of class c's samples, where worker w's end */
  int64_t *held;         /* [N] samples of a worker; then where its next one goes */
  int64_t *seen;         /* [C] samples of a class that were dealt out */
  int32_t *owner;        /* [C] who holds the next one */
} drawing;

static bool allocate(drawing *d, int64_t classes)
{
  const size_t workers = (size_t)d->workers, c = (size_t)classes;
  d->alpha = malloc(workers * sizeof *d->alpha);
  d->share = malloc(workers * sizeof *d->share);
  d->size = calloc(c, sizeof *d->size);
  d->end = malloc(c * workers * sizeof *d->end);
  d->held = malloc(workers * sizeof *d->held);
  d->seen = calloc(c, sizeof *d->seen);
  d->owner = calloc(c, sizeof *d->owner);
  return d->alpha && d->share && d->size && d->end && d->held && d->seen && d->owner;
}

static void release(drawing *d)
{
  free(d->alpha);
  free(d->share);
  free(d->size);
  free(d->end);
  free(d->held);
  free(d->seen);
  free(d->owner);
}

/* Where the workers' parts of class c end, from the shares. */
static void cut_class(drawing *d, int64_t c)
{
  const double shift = (double)c / (double)d->split->dataset->classes;
  int64_t *end = d->end + c * d->workers, before = 0;
  double sum = 0;
  for (int32_t w = 0; w < d->workers; w++) {
    sum += d->share[w];
    const int64_t cut = (int64_t)floor(sum * (double)d->size[c] + shift);
    end[w] = w == d->workers - 1 || cut > d->size[c] ? d->size[c] : cut; /* sums are 1 to rounding only */
    d->held[w] += end[w] - before;
    before = end[w];
  }
}

/* Draws the shares of all classes; returns whether every worker has a sample. */
static bool draw(drawing *d, int attempt)
{
  const rh_split *s = d->split;
  gsl_rng *rng = rh_rng_gsl(rh_rng_stream(s->seed, RH_PURPOSE_PARTITION, 1, (uint64_t)attempt));
  memset(d->held, 0, (size_t)d->workers * sizeof *d->held);
  for (int64_t c = 0; c < s->dataset->classes; c++) {
    if (c == 0 || s->def->kind == RH_PARTITION_DIRICHLET) {
      gsl_ran_dirichlet(rng, (size_t)d->workers, d->alpha, d->share);
    }
    cut_class(d, c);
  }
  gsl_rng_free(rng);
  for (int32_t w = 0; w < d->workers; w++) {
    if (d->held[w] == 0) return false;
  }
  return true;
}

/* Deals the shuffle out, every class to its workers in turn. */
static void deal(drawing *d, rh_partition *partition)
{
  const rh_split *s = d->split;
  int64_t at = 0;
  for (int32_t w = 0; w < d->workers; w++) {
    const int64_t samples = d->held[w];
    partition->offset[w] = d->held[w] = at;
    at += samples;
  }
  partition->offset[d->workers] = at;
  for (int64_t i = 0; i < s->dataset->train.count; i++) {
    const int32_t c = s->dataset->train.labels[s->order[i]];
    while (d->seen[c] == d->end[c * (int64_t)d->workers + d->owner[c]]) {
      d->owner[c]++;
    }
    d->seen[c]++;
    partition->indices[d->held[d->owner[c]]++] = s->order[i];
  }
}

rh_status rh_partition_deal_drawn(const rh_split *split, rh_partition *partition)
{
  rh_status status = RH_OK;
  const rh_samples *train = &split->dataset->train;
  drawing d = {.split = split, .workers = partition->workers};
  if (!allocate(&d, split->dataset->classes)) {
    status =
        rh_error(RH_ENOMEM, "no memory to split %lld samples over %d workers", (long long)train->count, (int)d.workers);
    goto done;
  }
  for (int32_t w = 0; w < d.workers; w++) {
    d.alpha[w] = split->def->alpha;
  }
  for (int64_t i = 0; i < train->count; i++) {
    d.size[train->labels[i]]++;
  }
  int attempt = 0;
  while (attempt < DRAWS_MAX && !draw(&d, attempt)) {
    attempt++;
  }
  if (attempt == DRAWS_MAX) {
    status = rh_error(
        RH_EINVAL,
        "data.alpha: in each of %d draws of partition %s with %g some of the %d workers got none of the %lld "
        "samples; raise data.alpha, take more samples or fewer workers",
        DRAWS_MAX, rh_partition_name(split->def->kind), split->def->alpha, (int)d.workers, (long long)train->count);
    goto done;
  }
  deal(&d, partition);
done:
  release(&d);
  return status;
}

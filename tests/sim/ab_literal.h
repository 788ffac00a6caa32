/* AB-training, literally: every rank has its own weights, factors, moments and counts of steps, and computes its own
 * factor gradients; averages are taken over ranks one by one, in double. Of ab_fixture.h's model, both weights
 * factorised.
 */
#ifndef RH_AB_LITERAL_H
#define RH_AB_LITERAL_H

#include <lapacke.h>
#include <math.h>

#include "ab_fixture.h"
#include "batches.h"

enum { W1 = 0, B1 = HIDDEN * INPUTS, W2 = B1 + HIDDEN, B2 = W2 + CLASSES * HIDDEN };

/* A weight's working matrix: m x n, tall; both weights are wide as stored, so both are transposed. */
typedef struct matrix {
  int offset, m, n;
} matrix;
static const matrix matrices[2] = {{W1, INPUTS, HIDDEN}, {W2, HIDDEN, CLASSES}};

typedef struct literal_rank {
  double x[P], moments[2][P];
  double a[2][INPUTS * HIDDEN], b[2][HIDDEN * HIDDEN]; /* m x r and r x n, in rows of INPUTS .. HIDDEN at most */
  double a_moments[2][2][INPUTS * HIDDEN], b_moments[2][2][HIDDEN * HIDDEN]; /* [moment][weight] */
  int full_steps, factor_steps, dense_steps; /* of each tensor's own, as PyTorch's optimisers count */
  int group;
  bool trains_a;
} literal_rank;

typedef struct literal {
  literal_rank rank[N];
  int r[2];
  bool in_ab;
  int64_t ramp_start;
  double ramp_lr;
} literal;

static inline double *entry(double *x, const matrix *w, int i, int j) /* of the tall matrix; stored transposed */
{
  return &x[w->offset + j * w->m + i];
}

static inline void literal_compose(const literal *l, literal_rank *k)
{
  for (int w = 0; w < 2; w++)
    for (int i = 0; i < matrices[w].m; i++)
      for (int j = 0; j < matrices[w].n; j++) {
        double sum = 0;
        for (int q = 0; q < l->r[w]; q++)
          sum += k->a[w][i * l->r[w] + q] * k->b[w][q * matrices[w].n + j];
        *entry(k->x, &matrices[w], i, j) = sum;
      }
}

/* Keeps the first `to` columns (or rows) and pads with zeros. */
static inline void resize_columns(double *a, int rows, int from, int to)
{
  double old[INPUTS * HIDDEN];
  memcpy(old, a, sizeof old);
  for (int i = 0; i < rows; i++)
    for (int q = 0; q < to; q++)
      a[i * to + q] = q < from ? old[i * from + q] : 0;
}

static inline void literal_enter(literal *l, double cut)
{
  for (int i = 1; i < N; i++)
    memcpy(l->rank[i].x, l->rank[0].x, sizeof l->rank[0].x);
  for (int w = 0; w < 2; w++) {
    const matrix *mat = &matrices[w];
    double full[INPUTS * HIDDEN], s[HIDDEN], u[INPUTS * HIDDEN], vt[HIDDEN * HIDDEN];
    for (int i = 0; i < mat->m; i++)
      for (int j = 0; j < mat->n; j++)
        full[i * mat->n + j] = *entry(l->rank[0].x, mat, i, j);
    assert_int_equal(LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', mat->m, mat->n, full, mat->n, s, u, mat->n, vt, mat->n), 0);
    int r = cut > 0 ? 0 : mat->n;
    for (int q = 0; cut > 0 && q < mat->n; q++)
      r += s[q] > cut * s[0];
    for (int q = 0; q < mat->n; q++) { /* the entry of largest modulus in a column of U is positive */
      int top = 0;
      for (int i = 1; i < mat->m; i++)
        if (fabs(u[i * mat->n + q]) > fabs(u[top * mat->n + q])) top = i;
      if (u[top * mat->n + q] > 0) continue;
      for (int i = 0; i < mat->m; i++)
        u[i * mat->n + q] = -u[i * mat->n + q];
      for (int j = 0; j < mat->n; j++)
        vt[q * mat->n + j] = -vt[q * mat->n + j];
    }
    for (int k = 0; k < N; k++) {
      literal_rank *rank = &l->rank[k];
      for (int m = 0; m < 2; m++) {
        resize_columns(rank->a_moments[m][w], mat->m, l->r[w], r);
        for (int q = l->r[w]; q < r; q++)
          for (int j = 0; j < mat->n; j++)
            rank->b_moments[m][w][q * mat->n + j] = 0;
      }
      for (int q = 0; q < r; q++) {
        for (int i = 0; i < mat->m; i++)
          rank->a[w][i * r + q] = u[i * mat->n + q] * sqrt(s[q]);
        for (int j = 0; j < mat->n; j++)
          rank->b[w][q * mat->n + j] = sqrt(s[q]) * vt[q * mat->n + j];
      }
    }
    l->r[w] = r;
  }
  l->in_ab = true;
  for (int k = 0; k < N; k++)
    literal_compose(l, &l->rank[k]);
}

enum who { EVERYBODY, THOSE_OF_A, THOSE_OF_B };

/* Mean of one array over some ranks, given to all. */
static inline void literal_mean(literal *l, size_t at, int values, enum who who)
{
  for (int p = 0; p < values; p++) {
    double sum = 0;
    int count = 0;
    for (int k = 0; k < N; k++)
      if (who == EVERYBODY || l->rank[k].trains_a == (who == THOSE_OF_A)) {
        sum += ((double *)((char *)&l->rank[k] + at))[p];
        count++;
      }
    for (int k = 0; k < N; k++)
      ((double *)((char *)&l->rank[k] + at))[p] = sum / count;
  }
}

static inline void literal_leave(literal *l, int sync)
{
  const bool learned = sync == AB_SYNC_ONLY_LEARNED;
  l->in_ab = false;
  if (sync == AB_SYNC_ONLY_B) return;
  literal_mean(l, offsetof(literal_rank, x), P, EVERYBODY);
  if (sync == AB_SYNC_FULL) return;
  for (int w = 0; w < 2; w++) {
    literal_mean(l, offsetof(literal_rank, a) + (size_t)w * sizeof l->rank[0].a[0], INPUTS * HIDDEN,
                 learned ? THOSE_OF_A : EVERYBODY);
    literal_mean(l, offsetof(literal_rank, b) + (size_t)w * sizeof l->rank[0].b[0], HIDDEN * HIDDEN,
                 learned ? THOSE_OF_B : EVERYBODY);
  }
  for (int k = 0; k < N; k++)
    literal_compose(l, &l->rank[k]);
}

/* Gradient of one rank on its batch, by the model's own passes (their tests are elsewhere). */
static inline void literal_gradient(fixture *f, rh_batches *batches, rh_workspace *ws, const literal_rank *k, int rank,
                                    int64_t t, double *g)
{
  float *x = aligned_alloc(64, (size_t)f->model.stride * sizeof *x),
        *out = aligned_alloc(64, (size_t)f->model.stride * sizeof *out);
  double loss;
  int64_t correct;
  memset(x, 0, (size_t)f->model.stride * sizeof *x);
  for (int p = 0; p < P; p++)
    x[p] = (float)k->x[p];
  rh_batches_gather(batches, rank, t, BATCH, rh_workspace_input(ws), rh_workspace_labels(ws));
  rh_model_gradient(&f->model, ws, 1, (rh_tensor){x, 0}, (rh_tensor){out, 0}, &loss, &correct);
  for (int p = 0; p < P; p++)
    g[p] = out[p];
  free(x);
  free(out);
}

/* Step number `step` of the optimiser (optim.h's formulas) on values whose moments are `distance` apart. */
static inline void literal_move(double *x, double *moments, size_t distance, const double *g, int count, double rate,
                                int step)
{
  const rh_optimiser *o = &optimiser;
  for (int p = 0; p < count; p++) {
    double *u = moments + p, *v = moments + distance + p;
    if (o->kind == RH_OPTIMISER_SGD) {
      *u = o->momentum * *u + g[p] + o->decay * x[p];
      x[p] -= rate * *u;
    } else {
      *u = o->beta1 * *u + (1 - o->beta1) * g[p];
      *v = o->beta2 * *v + (1 - o->beta2) * g[p] * g[p];
      const double mean = *u / (1 - pow(o->beta1, step)), square = *v / (1 - pow(o->beta2, step));
      x[p] -= rate * (o->decay * x[p] + mean / (sqrt(square) + o->epsilon));
    }
  }
}

enum { SPANS = 2 };
static const int dense[SPANS][2] = {{B1, HIDDEN}, {B2, CLASSES}}; /* offset, count: the biases */
static const int factored[SPANS][2] = {{W1, HIDDEN *INPUTS}, {W2, CLASSES *HIDDEN}};

static inline void literal_move_span(literal_rank *rank, const int span[2], const double *g, double rate, int step)
{
  literal_move(rank->x + span[0], rank->moments[0] + span[0], P, g + span[0], span[1], rate, step);
}

/* Mean of the gradients of a group's ranks; group -1: of all. */
static inline void mean_gradient(const literal *l, const double g[N][P], int group, double *mean)
{
  for (int p = 0; p < P; p++) {
    int count = 0;
    mean[p] = 0;
    for (int k = 0; k < N; k++)
      if (group < 0 || l->rank[k].group == group) {
        mean[p] += g[k][p];
        count++;
      }
    mean[p] /= count;
  }
}

static inline double clipped(double squared)
{
  return sqrt(squared) > optimiser.clip ? optimiser.clip / sqrt(squared) : 1;
}

/* Returns whether the gradient was clipped. */
static inline bool literal_full_step(literal *l, const double g[N][P], double rate)
{
  double mean[P], squared = 0;
  mean_gradient(l, g, -1, mean);
  for (int p = 0; p < P; p++)
    squared += mean[p] * mean[p];
  for (int p = 0; p < P; p++)
    mean[p] *= clipped(squared);
  for (int k = 0; k < N; k++) {
    literal_rank *rank = &l->rank[k];
    rank->full_steps++;
    rank->dense_steps++;
    for (int s = 0; s < SPANS; s++) {
      literal_move_span(rank, factored[s], mean, rate, rank->full_steps);
      literal_move_span(rank, dense[s], mean, rate, rank->dense_steps);
    }
  }
  return clipped(squared) < 1;
}

/* dA = dW B^T, or dB = A^T dW, of one weight. Returns how many values. */
static inline int factor_gradient(const literal *l, const literal_rank *k, const double *g, int w, double *d)
{
  const matrix *mat = &matrices[w];
  const int r = l->r[w];
  double tall[P];
  memcpy(tall, g, sizeof tall);
  if (k->trains_a) {
    for (int i = 0; i < mat->m; i++)
      for (int q = 0; q < r; q++) {
        d[i * r + q] = 0;
        for (int j = 0; j < mat->n; j++)
          d[i * r + q] += *entry(tall, mat, i, j) * k->b[w][q * mat->n + j];
      }
    return mat->m * r;
  }
  for (int q = 0; q < r; q++)
    for (int j = 0; j < mat->n; j++) {
      d[q * mat->n + j] = 0;
      for (int i = 0; i < mat->m; i++)
        d[q * mat->n + j] += k->a[w][i * r + q] * *entry(tall, mat, i, j);
    }
  return r * mat->n;
}

/* Each rank's own factor gradients are averaged over its group, then clipped with those of the biases. */
static inline void literal_group_step(literal *l, const double g[N][P], int group, double rate)
{
  double mean[P], d[2][INPUTS * HIDDEN] = {0}, one[INPUTS * HIDDEN], squared = 0;
  int count[2] = {0}, ranks = 0;
  mean_gradient(l, g, group, mean);
  for (int k = 0; k < N; k++)
    ranks += l->rank[k].group == group;
  for (int w = 0; w < 2; w++)
    for (int k = 0; k < N; k++)
      if (l->rank[k].group == group) {
        count[w] = factor_gradient(l, &l->rank[k], g[k], w, one);
        for (int p = 0; p < count[w]; p++)
          d[w][p] += one[p] / ranks;
      }
  for (int w = 0; w < 2; w++)
    for (int p = 0; p < count[w]; p++)
      squared += d[w][p] * d[w][p];
  for (int s = 0; s < SPANS; s++)
    for (int p = 0; p < dense[s][1]; p++)
      squared += mean[dense[s][0] + p] * mean[dense[s][0] + p];
  for (int w = 0; w < 2; w++)
    for (int p = 0; p < count[w]; p++)
      d[w][p] *= clipped(squared);
  for (int p = 0; p < P; p++)
    mean[p] *= clipped(squared);
  for (int k = 0; k < N; k++) {
    literal_rank *rank = &l->rank[k];
    if (rank->group != group) continue;
    rank->factor_steps++;
    rank->dense_steps++;
    for (int w = 0; w < 2; w++) {
      if (rank->trains_a)
        literal_move(rank->a[w], rank->a_moments[0][w], 2 * INPUTS * HIDDEN, d[w], count[w], rate, rank->factor_steps);
      else
        literal_move(rank->b[w], rank->b_moments[0][w], 2 * HIDDEN * HIDDEN, d[w], count[w], rate, rank->factor_steps);
    }
    for (int s = 0; s < SPANS; s++)
      literal_move_span(rank, dense[s], mean, rate, rank->dense_steps);
    literal_compose(l, rank);
  }
}

#endif

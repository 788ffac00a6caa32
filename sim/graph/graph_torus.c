/* Torus of any number of dimensions: neighbours one step away in each, with wrap-around.
 *
 * Symbols     D dimensions of n_d workers each, whose product is N
 * Formula     eigenvalues: undirected (1 + 2 sum_d cos s_d) / (1 + 2 D), directed (1 + sum_d e^(i s_d)) / (1 + D),
 *             s_d = 2 pi k_d / n_d, k_d = 0 .. n_d - 1, for sides of at least 3
 */
#include <complex.h>
#include <math.h>
#include <stdio.h>

#include "graph_kind.h"
#include "torus.h"

typedef struct torus_options {
  int64_t rows;
  const char *sides;
} torus_options;

static const rh_option options[] = {
    {.name = "rows",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(torus_options, rows),
     .fallback = "0",
     .min = 0,
     .max = INFINITY,
     .help = "rows of the torus, must divide the workers; 0: as square as they allow"},
    {.name = "sides",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(torus_options, sides),
     .fallback = "",
     .help =
         "instead of rows: the sides of a torus of up to five dimensions, as 16x16x16, whose product is the workers "
         "and of which the first varies fastest with the rank"},
};

/* The sides in the order in which ranks vary, the fastest first; a 0 ends them. */
typedef struct torus {
  int32_t sides[RH_TORUS_MAX + 1];
  int dimensions;
} torus;

/* The number of rows: as asked, or the largest divisor not above the square root. 0 if impossible. */
static int32_t row_count(const torus_options *o, int32_t workers)
{
  if (o->rows > 0) return workers % o->rows == 0 ? (int32_t)o->rows : 0;
  int32_t rows = (int32_t)sqrt((double)workers);
  while (workers % rows)
    rows--;
  return rows;
}

static bool has_sides(const torus_options *o)
{
  return o->sides && o->sides[0] != '\0';
}

static rh_status read_sides(const torus_options *o, int32_t workers, torus *t)
{
  if (o->rows > 0)
    return rh_error(RH_EINVAL, "graph.sides: '%s' and graph.rows: %lld both give the torus its shape; leave one out",
                    o->sides, (long long)o->rows);
  const rh_status status = rh_torus_read(o->sides, workers, t->sides);
  if (status == RH_OK) return RH_OK;
  char why[512];
  snprintf(why, sizeof why, "%s", rh_error_message());
  return rh_error(status, "graph.sides: %s", why);
}

static rh_status find_torus(const rh_graph_def *def, torus *t)
{
  const torus_options *o = def->options;
  *t = (torus){0};
  if (has_sides(o)) {
    const rh_status status = read_sides(o, def->workers, t);
    if (status != RH_OK) return status;
  } else {
    const int32_t rows = row_count(o, def->workers);
    if (rows == 0)
      return rh_error(RH_EINVAL, "graph.rows: %lld rows do not divide %d workers", (long long)o->rows, def->workers);
    t->sides[0] = def->workers / rows;
    t->sides[1] = rows;
  }
  while (t->sides[t->dimensions] > 0)
    t->dimensions++;
  return RH_OK;
}

/* How many sides are at least so long. */
static int count_sides(const torus *t, int32_t least)
{
  int count = 0;
  for (int d = 0; d < t->dimensions; d++)
    count += t->sides[d] >= least;
  return count;
}

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  torus t;
  const rh_status status = find_torus(def, &t);
  if (status != RH_OK) return status;
  const torus_options *o = def->options;
  if (count_sides(&t, 2) < 2 && has_sides(o))
    return rh_error(RH_EINVAL, "graph.sides: a torus of %s is a ring; use graph: {name: ring}", o->sides);
  if (count_sides(&t, 2) < 2)
    return rh_error(RH_EINVAL,
                    "graph 'torus': %d workers make a torus of %d x %d, which is a ring; use graph: {name: ring}",
                    def->workers, t.sides[1], t.sides[0]);
  for (int32_t i = 0; i < def->workers; i++) {
    for (int32_t d = 0, stride = 1; d < t.dimensions; stride *= t.sides[d++]) {
      const int32_t place = i / stride % t.sides[d];
      const int32_t next = i + ((place + 1) % t.sides[d] - place) * stride;
      rh_edges_add(edges, i, next);
      if (!def->directed) rh_edges_add(edges, next, i);
    }
  }
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  torus t;
  if (find_torus(def, &t) != RH_OK) RH_ASSERT(!"edges() refuses other numbers of workers");
  if (count_sides(&t, 3) < t.dimensions) return -1; /* neighbours coincide: other weights than the formula's */
  double largest = 0;
  for (int32_t i = 1; i < def->workers; i++) {
    complex double sum = 0;
    for (int32_t d = 0, rest = i; d < t.dimensions; rest /= t.sides[d++])
      sum += cexp(I * (2 * M_PI * (rest % t.sides[d]) / t.sides[d]));
    const double modulus =
        def->directed ? cabs(1 + sum) / (1 + t.dimensions) : fabs(1 + 2 * creal(sum)) / (1 + 2 * t.dimensions);
    largest = fmax(largest, modulus);
  }
  return largest;
}

const rh_graph_kind rh_graph_torus = {
    .name = "torus",
    .summary = "grid with wrap-around, two-dimensional unless sides say otherwise; two neighbours in each dimension, "
               "directed one",
    .source = "eigenvalues of Cartesian products of rings",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(torus_options),
    .edges = edges,
    .lambda2 = lambda2,
};

/* Torus of rows x columns: neighbours one step away in each dimension, with wrap-around.
 *
 * Formula     eigenvalues: undirected (1 + 2 cos s_k + 2 cos t_l) / 5, directed (1 + e^(i s_k) + e^(i t_l)) / 3,
 *             s_k = 2 pi k / rows, t_l = 2 pi l / columns, for sides of at least 3
 */
#include <complex.h>
#include <math.h>

#include "graph_kind.h"

typedef struct torus_options {
  int64_t rows;
} torus_options;

static const rh_option options[] = {
    {.name = "rows",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(torus_options, rows),
     .fallback = "0",
     .min = 0,
     .max = INFINITY,
     .help = "rows of the torus, must divide the workers; 0: as square as they allow"},
};

/* The number of rows: as asked, or the largest divisor not above the square root. 0 if impossible. */
static int32_t row_count(const torus_options *o, int32_t workers)
{
  if (o->rows > 0) return workers % o->rows == 0 ? (int32_t)o->rows : 0;
  int32_t rows = (int32_t)sqrt((double)workers);
  while (workers % rows)
    rows--;
  return rows;
}

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const torus_options *o = def->options;
  int32_t workers = def->workers, rows = row_count(o, workers);
  if (rows == 0)
    return rh_error(RH_EINVAL, "graph.rows: %lld rows do not divide %d workers", (long long)o->rows, workers);
  int32_t columns = workers / rows;
  if (rows < 2 || columns < 2)
    return rh_error(RH_EINVAL,
                    "graph 'torus': %d workers make a torus of %d x %d, which is a ring; use graph: {name: ring}",
                    workers, rows, columns);
  for (int32_t i = 0; i < workers; i++) {
    int32_t row = i / columns, column = i % columns;
    int32_t right = row * columns + (column + 1) % columns, down = (row + 1) % rows * columns + column;
    rh_edges_add(edges, i, right);
    rh_edges_add(edges, i, down);
    if (def->directed) continue;
    rh_edges_add(edges, right, i);
    rh_edges_add(edges, down, i);
  }
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  int32_t workers = def->workers, rows = row_count(def->options, workers);
  RH_ASSERT(rows > 0 && "edges() refuses other numbers of workers");
  int32_t columns = workers / rows;
  if (rows < 3 || columns < 3) return -1; /* neighbours coincide: other weights than the formula's */
  double largest = 0;
  for (int32_t k = 0; k < rows; k++) {
    for (int32_t l = k == 0; l < columns; l++) {
      double s = 2 * M_PI * k / rows, t = 2 * M_PI * l / columns;
      double modulus = def->directed ? cabs(1 + cexp(I * s) + cexp(I * t)) / 3 : fabs(1 + 2 * cos(s) + 2 * cos(t)) / 5;
      largest = fmax(largest, modulus);
    }
  }
  return largest;
}

const rh_graph_kind rh_graph_torus = {
    .name = "torus",
    .summary = "two-dimensional grid with wrap-around; four neighbours, directed two",
    .source = "eigenvalues of Cartesian products of rings",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(torus_options),
    .edges = edges,
    .lambda2 = lambda2,
};

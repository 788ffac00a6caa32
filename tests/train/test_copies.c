/* Copies shared by groups of workers: who holds which, steps of groups, what is the same as with a copy each, memory;
 * steps with clipping and adamw on any threads, chunk and tile. */
#include "cmocka_all.h"

#include <math.h>

#include "hash.h"
#include "replicas_rig.h"

/* Copy k's parameters are moved by k thousandths, so that copies differ. */
static void set_apart(rh_replicas *replicas)
{
  const rh_replicas_def *def = rh_replicas_get_def(replicas);
  for (int32_t k = 0; k < def->copies; k++)
    for (int64_t i = 0; i < def->model->parameters; i++)
      rh_replicas_copy(replicas, k)[i] += 1e-3F * (float)k;
}

static void check_map(rh_replicas *replicas, const int32_t *expected)
{
  for (int32_t i = 0; i < WORKERS; i++) {
    assert_ptr_equal(rh_replicas_parameters(replicas, i), rh_replicas_copy(replicas, expected[i]));
    assert_ptr_equal(rh_replicas_moment(replicas, i, 0), rh_replicas_copy_moment(replicas, expected[i], 0));
  }
}

static void workers_hold_the_copies_of_the_map(void **state)
{
  (void)state;
  const rh_model model = build("logreg", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.copies = 4;
  rh_replicas *replicas = new_replicas(&def);
  assert_int_equal(rh_replicas_copies(replicas), 4);
  check_map(replicas, (const int32_t[]){0, 0, 1, 2, 2, 3}); /* i 4 / 6 */
  for (int32_t k = 1; k < 4; k++)
    assert_memory_equal(rh_replicas_copy(replicas, k), rh_replicas_copy(replicas, 0), (size_t)model.stride * 4);
  rh_replicas_share(replicas, 3, NULL);
  check_map(replicas, (const int32_t[]){0, 0, 1, 1, 2, 2});
  int32_t map[WORKERS] = {2, 0, 1, 0, 2, 2};
  rh_replicas_share(replicas, 3, map);
  memset(map, 0, sizeof map); /* was copied */
  check_map(replicas, (const int32_t[]){2, 0, 1, 0, 2, 2});
  rh_replicas_share(replicas, 1, NULL);
  check_map(replicas, (const int32_t[WORKERS]){0});
  rh_replicas_free(replicas);
}

/* A step on copy 1 moves its workers and nobody else. */
static void groups_step_apart(void **state)
{
  (void)state;
  const rh_model model = build("mlp", dataset.shape, CLASSES);
  const size_t bytes = (size_t)model.stride * sizeof(float);
  rh_replicas_def def = default_def(&model);
  def.copies = 3;
  rh_replicas *replicas = new_replicas(&def);
  float *start = malloc(bytes), *grads;
  assert_non_null(start);
  memcpy(start, rh_replicas_copy(replicas, 0), bytes);
  assert_int_equal(rh_replicas_gradients(replicas, 0, 2, 1, &grads, NULL), RH_OK);
  rh_replicas_step(replicas, 1, 1, grads, 0.1, 0);
  for (int32_t i = 0; i < WORKERS; i++) {
    assert_int_equal(memcmp(rh_replicas_parameters(replicas, i), start, bytes) != 0, i / 2 == 1);
    double u = 0;
    for (int64_t p = 0; p < model.parameters; p++)
      u += fabs((double)rh_replicas_moment(replicas, i, 0)[p]);
    assert_int_equal(u > 0, i / 2 == 1);
  }
  free(start);
  rh_replicas_free(replicas);
}

/* Trains three groups of two by the mean of their gradients; with a copy each, both workers make the same step. */
static void train_groups(rh_replicas *replicas, int64_t steps)
{
  const rh_replicas_def *def = rh_replicas_get_def(replicas);
  const int64_t stride = def->model->stride;
  for (int64_t t = 0; t < steps; t++)
    for (int32_t group = 0; group < WORKERS / 2; group++) {
      float *g;
      assert_int_equal(rh_replicas_gradients(replicas, t, 2 * group, 2, &g, NULL), RH_OK);
      for (int64_t p = 0; p < stride; p++)
        g[p] = g[stride + p] = (g[p] + g[stride + p]) / 2;
      if (def->copies == WORKERS)
        rh_replicas_step(replicas, 2 * group, 2, g, 0.02, t);
      else
        rh_replicas_step(replicas, group, 1, g, 0.02, t);
    }
}

static void shared_copies_are_as_good_as_separate_ones(void **state)
{
  (void)state;
  const rh_model model = build("mlp", dataset.shape, CLASSES);
  const size_t bytes = (size_t)model.stride * sizeof(float);
  rh_replicas_def def = default_def(&model);
  rh_replicas *each = new_replicas(&def);
  def.copies = 3;
  rh_replicas *shared = new_replicas(&def);
  train_groups(each, 20);
  train_groups(shared, 20);
  for (int32_t i = 0; i < WORKERS; i++) {
    assert_memory_equal(rh_replicas_parameters(each, i), rh_replicas_parameters(shared, i), bytes);
    assert_memory_equal(rh_replicas_moment(each, i, 0), rh_replicas_moment(shared, i, 0), bytes);
  }
  /* all workers count the same: now in groups of 3, 2 and 1, which a mean over copies would not see */
  rh_replicas_share(shared, 3, (const int32_t[]){0, 1, 0, 2, 1, 0});
  for (int32_t i = 0; i < WORKERS; i++)
    memcpy(rh_replicas_parameters(each, i), rh_replicas_parameters(shared, i), bytes);
  float *a = malloc(bytes), *b = malloc(bytes);
  assert_int_equal(rh_replicas_mean(each, a), RH_OK);
  assert_int_equal(rh_replicas_mean(shared, b), RH_OK);
  assert_memory_equal(a, b, bytes);
  assert_true(rh_replicas_consensus_distance(each, a) == rh_replicas_consensus_distance(shared, b));
  assert_true(rh_replicas_consensus_distance(shared, b) > 1e-3);
  rh_replicas_share(shared, 1, NULL);
  assert_true(rh_replicas_consensus_distance(shared, b) == 0);
  assert_int_equal(rh_replicas_mean(shared, b), RH_OK);
  assert_memory_equal(b, rh_replicas_copy(shared, 0), bytes);
  free(a);
  free(b);
  rh_replicas_free(each);
  rh_replicas_free(shared);
}

/* Maps with runs of one copy, of copies in a row, and with neither: each worker's gradient is the one it has alone. */
static void calls_of_several_workers_find_their_copies(void **state)
{
  (void)state;
  static const int32_t maps[][WORKERS] = {
      {0, 0, 1, 1, 2, 2}, {0, 1, 2, 3, 3, 3}, {3, 2, 1, 0, 1, 2}, {0, 2, 0, 2, 1, 1}, {1, 1, 1, 1, 1, 0}};
  const rh_model model = build("cnn", dataset.shape, CLASSES);
  rh_backend wide = rh_backend_cpu;
  rh_replicas_def def = default_def(&model);
  def.copies = 4;
  def.threads = 2;
  rh_replicas *narrow = new_replicas(&def);
  set_apart(narrow);
  for (int64_t tile = 2; tile <= WORKERS; tile++) {
    wide.tile = tile;
    def.backend = &wide;
    rh_replicas *replicas = new_replicas(&def);
    set_apart(replicas);
    for (size_t k = 0; k < RH_COUNT(maps); k++) {
      float *one, *many;
      double loss[WORKERS], alone;
      rh_replicas_share(narrow, 4, maps[k]);
      rh_replicas_share(replicas, 4, maps[k]);
      assert_int_equal(rh_replicas_gradients(replicas, 3, 0, WORKERS, &many, loss), RH_OK);
      for (int32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(rh_replicas_gradients(narrow, 3, i, 1, &one, &alone), RH_OK);
        assert_memory_equal(one, many + i * model.stride, (size_t)model.parameters * sizeof *one);
        assert_true(loss[i] == alone);
      }
    }
    rh_replicas_free(replicas);
  }
  rh_replicas_free(narrow);
}

/* Rows (3, 4, 0, ...) and (0, .6, .8, 0, ...): the first is clipped from 5 to 1, the second is just as long
 * as allowed. */
static void each_row_is_clipped_by_its_own_norm(void **state)
{
  (void)state;
  const rh_model model = build("logreg", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.optimiser = (rh_optimiser){.clip = 1};
  rh_replicas *replicas = new_replicas(&def);
  float *g = calloc(2 * (size_t)model.stride, sizeof *g);
  memset(rh_replicas_copy(replicas, 0), 0, 2 * (size_t)model.stride * sizeof *g);
  g[0] = 3;
  g[1] = 4;
  g[model.stride + 1] = 0.6F;
  g[model.stride + 2] = 0.8F;
  rh_replicas_step(replicas, 0, 2, g, 0.5, 0);
  const float *x = rh_replicas_copy(replicas, 0), *y = rh_replicas_copy(replicas, 1);
  assert_true(fabs(x[0] + 0.3) < 1e-7 && fabs(x[1] + 0.4) < 1e-7 && x[2] == 0);
  assert_true(fabs(y[1] + 0.3) < 1e-7 && fabs(y[2] + 0.4) < 1e-7 && y[0] == 0);
  free(g);
  rh_replicas_free(replicas);
}

static uint64_t trained_hash(const rh_replicas_def *def)
{
  rh_replicas *replicas = new_replicas(def);
  const int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  for (int64_t t = 0; t < 10; t++)
    for (int32_t first = 0; first < WORKERS; first += chunk) {
      const int32_t count = WORKERS - first < chunk ? WORKERS - first : chunk;
      float *g;
      assert_int_equal(rh_replicas_gradients(replicas, t, first, count, &g, NULL), RH_OK);
      rh_replicas_step(replicas, first, count, g, 0.01, t);
    }
  const uint64_t hash = rh_replicas_hash(replicas);
  rh_replicas_free(replicas);
  return hash;
}

static void adamw_has_the_same_bits_anyhow(void **state)
{
  (void)state;
  const rh_model model = build("mlp", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.optimiser = (rh_optimiser){
      .kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.1, .clip = 0.5};
  def.label_smoothing = 0.1;
  const uint64_t expected = trained_hash(&def);
  def.threads = 2;
  assert_true(trained_hash(&def) == expected);
  def.memory_bytes = memory_for(&def, 4);
  assert_true(trained_hash(&def) == expected);
  rh_backend wide = rh_backend_cpu;
  wide.tile = 4;
  def.backend = &wide;
  def.memory_bytes = 0;
  assert_true(trained_hash(&def) == expected);
  def.optimiser.clip = 0;
  assert_true(trained_hash(&def) != expected);
  def.optimiser.clip = 0.5;
  def.label_smoothing = 0;
  assert_true(trained_hash(&def) != expected);
}

/* A hash sees parameters and moments of the copies in use, and nothing else. */
static void hash_covers_copies_in_use(void **state)
{
  (void)state;
  const rh_model model = build("logreg", dataset.shape, CLASSES);
  rh_replicas_def def = default_def(&model);
  def.copies = 3;
  def.optimiser.kind = RH_OPTIMISER_ADAMW;
  rh_replicas *replicas = new_replicas(&def);
  rh_replicas_share(replicas, 2, NULL);
  const uint64_t hash = rh_replicas_hash(replicas);
  float *const places[] = {rh_replicas_copy(replicas, 1), rh_replicas_copy_moment(replicas, 1, 0),
                           rh_replicas_copy_moment(replicas, 1, 1)};
  for (size_t i = 0; i < RH_COUNT(places); i++) {
    const float keep = places[i][7];
    places[i][7] = 0.125F;
    assert_true(rh_replicas_hash(replicas) != hash);
    places[i][7] = keep;
  }
  rh_replicas_copy(replicas, 2)[7] = 5;
  assert_true(rh_replicas_hash(replicas) == hash);
  rh_replicas_free(replicas);
}

/* A copy is its parameters and moments. */
static void memory_counts_copies_and_moments(void **state)
{
  (void)state;
  const rh_model model = build("cnn", dataset.shape, CLASSES);
  const int64_t row = model.stride * (int64_t)sizeof(float);
  rh_replicas_def def = default_def(&model);
  int64_t least[4], most;
  rh_replicas_predict(&def, &least[0], &most);
  def.copies = 2;
  rh_replicas_predict(&def, &least[1], &most);
  def.optimiser.kind = RH_OPTIMISER_ADAMW;
  rh_replicas_predict(&def, &least[2], &most);
  def.copies = 3; /* not 1: the mean of a single copy needs no sum */
  rh_replicas_predict(&def, &least[3], &most);
  assert_true(least[0] - least[1] == (WORKERS - 2) * 2 * row);
  assert_true(least[2] - least[1] == 2 * row);
  assert_true(least[3] - least[2] == 3 * row);
  def.copies = 2;
  def.memory_bytes = least[2] - 1;
  rh_replicas *replicas = NULL;
  assert_int_equal(rh_replicas_new(&def, &replicas), RH_ENOMEM);
  assert_non_null(strstr(rh_error_message(), "about 1 copies would fit"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(workers_hold_the_copies_of_the_map),
      cmocka_unit_test(groups_step_apart),
      cmocka_unit_test(shared_copies_are_as_good_as_separate_ones),
      cmocka_unit_test(calls_of_several_workers_find_their_copies),
      cmocka_unit_test(each_row_is_clipped_by_its_own_norm),
      cmocka_unit_test(adamw_has_the_same_bits_anyhow),
      cmocka_unit_test(hash_covers_copies_in_use),
      cmocka_unit_test(memory_counts_copies_and_moments),
  };
  return cmocka_run_group_tests(tests, make_data, NULL);
}

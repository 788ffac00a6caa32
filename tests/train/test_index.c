/* Index layouts: what is written is read back, in exactly the bytes of the formulas and within the bounds. */
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "index.h"
#include "rng.h"

static const rh_index_layout layouts[] = {RH_INDEX_U32, RH_INDEX_U16, RH_INDEX_BITMAP, RH_INDEX_PACKED, RH_INDEX_AUTO};

/* Bytes of the Rice code with the best of all widths, gap by gap, as index.h writes the formula. */
static int64_t packed_by_hand(const uint32_t *index, int64_t k)
{
  int64_t least = INT64_MAX;
  for (int w = 0; w < 32; w++) {
    int64_t bits = k * (w + 1);
    for (int64_t j = 0; j < k; j++)
      bits += (j == 0 ? index[0] : index[j] - index[j - 1] - 1) >> w;
    least = bits < least ? bits : least;
  }
  return 1 + (least + 7) / 8;
}

static int64_t bytes_by_hand(rh_index_layout layout, int64_t d, const uint32_t *index, int64_t k)
{
  const int64_t blocks = d / 65536 + (d % 65536 > 0);
  switch (layout) {
  case RH_INDEX_U32:
    return 4 * k;
  case RH_INDEX_U16:
    return 2 * k + (blocks > 1 ? 4 * (blocks - 1) : 0);
  case RH_INDEX_BITMAP:
    return d / 8 + (d % 8 > 0);
  case RH_INDEX_PACKED:
    return packed_by_hand(index, k);
  case RH_INDEX_AUTO:
    break;
  }
  int64_t least = INT64_MAX;
  for (int i = 0; i < 4; i++) {
    const int64_t bytes = bytes_by_hand(layouts[i], d, index, k);
    least = bytes < least ? bytes : least;
  }
  return 1 + least;
}

/* All layouts: round trip; length equal to the formula, to rh_index_bytes, and within the bound; no byte beyond. */
static void check(int64_t d, const uint32_t *index, int64_t k)
{
  for (size_t l = 0; l < RH_COUNT(layouts); l++) {
    const int64_t bound = rh_index_bound(layouts[l], d, k), bytes = bytes_by_hand(layouts[l], d, index, k);
    uint8_t *wire = malloc((size_t)bound + 8);
    uint32_t *read = malloc(((size_t)k + 1) * sizeof *read);
    memset(wire, 0xA5, (size_t)bound + 8);
    assert_true(bytes <= bound);
    assert_int_equal(rh_index_bytes(layouts[l], d, index, k), bytes);
    assert_int_equal(rh_index_encode(layouts[l], d, index, k, wire), bytes);
    for (int64_t i = bytes; i < bound + 8; i++)
      assert_int_equal(wire[i], 0xA5);
    assert_int_equal(rh_index_decode(layouts[l], d, wire, k, read), bytes);
    assert_memory_equal(read, index, (size_t)k * sizeof *read);
    free(wire);
    free(read);
  }
}

static void adversarial_lists_come_back(void **state)
{
  (void)state;
  static const int64_t sizes[] = {1, 2, 7, 8, 9, 63, 64, 65, 65535, 65536, 65537, 131072, 200001};
  for (size_t s = 0; s < RH_COUNT(sizes); s++) {
    const int64_t d = sizes[s];
    uint32_t *all = malloc((size_t)d * sizeof *all);
    for (int64_t i = 0; i < d; i++)
      all[i] = (uint32_t)i;
    check(d, all, 0);
    check(d, all, d);         /* all */
    check(d, all, 1);         /* the first */
    check(d, all + d - 1, 1); /* the last */
    check(d, all, d - 1);
    check(d, all + 1, d - 1);
    check(d, all + d / 2, d - d / 2);
    const uint32_t ends[2] = {0, (uint32_t)(d - 1)};
    if (d > 1) check(d, ends, 2);
    free(all);
  }
}

/* Gaps around the block of u16 and far beyond the byte-wise steps of the packed code. */
static void wide_gaps_come_back(void **state)
{
  (void)state;
  static const uint32_t gaps[] = {1, 2, 23, 24, 25, 65535, 65536, 65537, 1000000};
  for (size_t g = 0; g < RH_COUNT(gaps); g++) {
    uint32_t index[40];
    for (uint32_t j = 0; j < 40; j++)
      index[j] = j * gaps[g];
    check(index[39] + 1, index, 40);
    check(index[39] + 1000000, index, 40);
    for (uint32_t j = 0; j < 20; j++) /* dense at first, then one far away: the best width is small, the gap is not */
      index[j] = j;
    check(20 + (int64_t)gaps[g] * 39, index, 20);
    index[20] = 20 + gaps[g];
    check(21 + (int64_t)gaps[g], index, 21);
  }
  const uint32_t far[3] = {0, 2147483648U, 4294967294U};
  for (size_t l = 0; l < RH_COUNT(layouts); l++) { /* d = 2^32 - 1; the bitmap alone would be 512 MiB */
    if (layouts[l] == RH_INDEX_BITMAP || layouts[l] == RH_INDEX_U16) continue;
    uint8_t wire[64];
    uint32_t read[3];
    const int64_t bytes = rh_index_encode(layouts[l], UINT32_MAX, far, 3, wire);
    assert_int_equal(bytes, bytes_by_hand(layouts[l], UINT32_MAX, far, 3));
    assert_int_equal(rh_index_decode(layouts[l], UINT32_MAX, wire, 3, read), bytes);
    assert_memory_equal(read, far, sizeof far);
  }
}

/* Random lists of every density, uniform and in clusters, and some with few gaps between long runs. */
static void random_lists_come_back(void **state)
{
  (void)state;
  rh_rng rng = rh_rng_stream(3, RH_PURPOSE_TEST, 0, 0);
  uint32_t *index = malloc(200000 * sizeof *index);
  for (int round = 0; round < 60; round++) {
    const int64_t d = 1 + rh_rng_below(&rng, round % 3 ? 3000 : 200000);
    const double part = rh_rng_f64(&rng) * (round % 2 ? 1 : 0.02), share = round % 7 == 6 ? 1 - part / 20 : part;
    const uint32_t cluster = round % 5 == 4 ? 64 : 1;
    int64_t k = 0;
    bool in = false;
    for (int64_t i = 0; i < d; i++) {
      if (i % cluster == 0) in = rh_rng_f64(&rng) < share;
      if (in) index[k++] = (uint32_t)i;
    }
    check(d, index, k);
  }
  free(index);
}

/* Known bytes. Indices 1, 4, 5 of 10 have gaps 1, 2, 0: with w = 0 the bits are 01 001 1, 6 in all; with w = 1 they are
 * 7. Read from the lowest bit, 01 001 1 is 2 + 16 + 32. */
static void layouts_by_hand(void **state)
{
  (void)state;
  const uint32_t index[3] = {1, 4, 5}, blocks[3] = {3, 65536, 131073};
  uint8_t wire[32];
  assert_int_equal(rh_index_encode(RH_INDEX_PACKED, 10, index, 3, wire), 2);
  assert_int_equal(wire[0], 0);
  assert_int_equal(wire[1], 2 + 16 + 32);
  assert_int_equal(rh_index_encode(RH_INDEX_BITMAP, 10, index, 3, wire), 2);
  assert_int_equal(wire[0], 1 << 1 | 1 << 4 | 1 << 5);
  assert_int_equal(wire[1], 0);
  assert_int_equal(rh_index_encode(RH_INDEX_U16, 10, index, 3, wire), 6);
  assert_memory_equal(wire, ((uint8_t[]){1, 0, 4, 0, 5, 0}), 6);
  /* three blocks, one index in each: two counts, then offsets 3, 0, 1 */
  assert_int_equal(rh_index_encode(RH_INDEX_U16, 131074, blocks, 3, wire), 14);
  assert_memory_equal(wire, ((uint8_t[]){1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0}), 14);
  /* of equally long ones auto takes the first: bitmap and packed are 2 bytes here */
  assert_int_equal(rh_index_encode(RH_INDEX_AUTO, 10, index, 3, wire), 3);
  assert_int_equal(wire[0], RH_INDEX_BITMAP);
}

/* The bound never falls when k grows, so that it holds for fewer indices as well; and 1 % of 1e6 uniform places take
 * no more than 2 + log2(100) bits an index, against 8.08 that no code can go below (entropy of a share of 0.01). */
static void bounds_grow_and_packed_is_near_the_entropy(void **state)
{
  (void)state;
  for (size_t l = 0; l < RH_COUNT(layouts); l++)
    for (int64_t d = 1; d < 400; d += 57)
      for (int64_t k = 1; k <= d; k++)
        assert_true(rh_index_bound(layouts[l], d, k - 1) <= rh_index_bound(layouts[l], d, k));
  enum { D = 1000000 };
  rh_rng rng = rh_rng_stream(4, RH_PURPOSE_TEST, 0, 0);
  uint32_t *index = malloc(20000 * sizeof *index);
  int64_t k = 0;
  for (uint32_t i = 0; i < D; i++)
    if (rh_rng_below(&rng, 100) == 0) index[k++] = i;
  const double bits = 8.0 * (double)rh_index_bytes(RH_INDEX_PACKED, D, index, k) / (double)k;
  assert_true(bits > 8.0 && bits < 8.2); /* Rice with w = 6 at p = 0.01: 7 + p64 / (1 - p64) = 8.11, p64 = 0.99^64 */
  assert_true(8.0 * (double)rh_index_bound(RH_INDEX_PACKED, D, k) / (double)k < 2 + 6.65);
  free(index);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(adversarial_lists_come_back),
      cmocka_unit_test(wide_gaps_come_back),
      cmocka_unit_test(random_lists_come_back),
      cmocka_unit_test(layouts_by_hand),
      cmocka_unit_test(bounds_grow_and_packed_is_near_the_entropy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

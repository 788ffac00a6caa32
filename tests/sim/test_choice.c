/* Which all-reduce is taken, and with which zones, sides and shards. */
#include "cmocka_all.h"

#include <string.h>

#include "choice.h"

static rh_collective chosen(int choice, int32_t N, int64_t bytes)
{
  const rh_allreduce allreduce = {.choice = choice};
  rh_collective c = {.size = N, .bytes = bytes, .element_bytes = 4};
  rh_allreduce_choose(&allreduce, &c);
  return c;
}

/* Both sides of each threshold; the rules are those of choice.h. */
static void auto_goes_by_bytes_and_ranks(void **state)
{
  (void)state;
  static const struct row {
    int32_t N;
    int64_t bytes;
    const char *kind;
  } rows[] = {
      {64, 0, "allreduce-doubling"},
      {64, 2048, "allreduce-doubling"},
      {64, 2052, "allreduce-halving-doubling"},
      {64, 100000000, "allreduce-halving-doubling"},
      {1024, 4092, "allreduce-doubling"}, /* 1023 elements, fewer than ranks */
      {1024, 4096, "allreduce-halving-doubling"},
      {12, 2048, "allreduce-doubling"},
      {12, 9996, "allreduce-halving-doubling"},
      {12, 10000, "allreduce-ring"},
      {12, 82088, "allreduce-ring"},
      {3000, 12000, "allreduce-halving-doubling"}, /* as many elements as ranks */
      {3000, 12004, "allreduce-ring"},
      {3000, 8188, "allreduce-doubling"}, /* 2047 elements, one short of the power of two */
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(chosen(RH_ALLREDUCE_AUTO, rows[i].N, rows[i].bytes).kind->name, rows[i].kind);
}

static void a_choice_takes_its_kind_at_any_size(void **state)
{
  (void)state;
  static const char *const names[] = {
      [RH_ALLREDUCE_RING] = "allreduce-ring",
      [RH_ALLREDUCE_HALVING_DOUBLING] = "allreduce-halving-doubling",
      [RH_ALLREDUCE_DOUBLING] = "allreduce-doubling",
      [RH_ALLREDUCE_TREE] = "allreduce-tree",
      [RH_ALLREDUCE_DOUBLE_TREE] = "allreduce-double-tree",
      [RH_ALLREDUCE_TWO_LEVEL] = "allreduce-two-level",
      [RH_ALLREDUCE_TORUS] = "allreduce-torus",
      [RH_ALLREDUCE_SERVER] = "allreduce-server",
  };
  const char *listed = RH_ALLREDUCE_CHOICES;
  for (int choice = 0; choice < RH_ALLREDUCE_COUNT; choice++) {
    const size_t length = strcspn(listed, " ");
    if (names[choice] != NULL) {
      assert_string_equal(rh_allreduce_kind(choice)->name, names[choice]);
      assert_string_equal(chosen(choice, 12, 4).kind->name, names[choice]);
      assert_string_equal(chosen(choice, 64, 1 << 20).kind->name, names[choice]);
      /* what a study writes is the kind's name without the operation's */
      assert_memory_equal(listed, names[choice] + strlen("allreduce-"), length);
    } else {
      assert_memory_equal(listed, "auto", length);
      assert_null(rh_allreduce_kind(choice));
    }
    listed += length + (listed[length] == ' ');
  }
  assert_string_equal(listed, "");
}

static void assert_sides(const rh_allreduce *allreduce, int32_t N, const int32_t sides[RH_TORUS_MAX])
{
  rh_collective c = {.size = N, .bytes = 4, .element_bytes = 4};
  rh_allreduce_choose(allreduce, &c);
  assert_memory_equal(c.sides, sides, sizeof c.sides);
}

/* The asked ones where they fit; else as many, as equal as they can be, the longest first. */
static void tori_of_groups_are_as_equal_as_they_can_be(void **state)
{
  (void)state;
  rh_allreduce a = {.choice = RH_ALLREDUCE_TORUS};
  assert_sides(&a, 64, (int32_t[RH_TORUS_MAX]){8, 8});
  assert_sides(&a, 12, (int32_t[RH_TORUS_MAX]){4, 3});
  assert_sides(&a, 7, (int32_t[RH_TORUS_MAX]){7, 1});
  assert_sides(&a, 1, (int32_t[RH_TORUS_MAX]){1, 1});
  assert_int_equal(rh_torus_read("2x16x2", 64, a.sides), RH_OK);
  assert_sides(&a, 64, (int32_t[RH_TORUS_MAX]){2, 16, 2});
  assert_sides(&a, 27, (int32_t[RH_TORUS_MAX]){3, 3, 3});
  assert_sides(&a, 24, (int32_t[RH_TORUS_MAX]){4, 3, 2});
}

static void shards_are_never_more_than_ranks(void **state)
{
  (void)state;
  const rh_allreduce a = {.choice = RH_ALLREDUCE_SERVER, .shards = 8};
  rh_collective c = {.size = 64, .bytes = 4, .element_bytes = 4};
  rh_allreduce_choose(&a, &c);
  assert_int_equal(c.shards, 8);
  c.size = 4;
  rh_allreduce_choose(&a, &c);
  assert_int_equal(c.shards, 4);
  assert_int_equal(chosen(RH_ALLREDUCE_SERVER, 4, 4).shards, 1);
}

static void sides_that_make_no_torus_are_refused(void **state)
{
  (void)state;
  static const struct row {
    const char *text, *message;
  } rows[] = {
      {"8x9", "a torus of 8x9 has more than 64 ranks, the workers; the product must be equal"},
      {"4x4", "a torus of 4x4 has 16 ranks, not 64, the workers; the product must be equal"},
      {"99999999999x99999999999", "a torus of 99999999999x99999999999 has more than 64 ranks, the workers; the product "
                                  "must be equal"},
      {"99999999999999999999", "'99999999999999999999' are no sides of a torus; write them as 8x8 or 4x4x4"},
      {"8,8", "'8,8' are no sides of a torus; write them as 8x8 or 4x4x4"},
      {"8x", "'8x' are no sides of a torus; write them as 8x8 or 4x4x4"},
      {"8x-8", "'8x-8' are no sides of a torus; write them as 8x8 or 4x4x4"},
      {"0x64", "'0x64' are no sides of a torus; write them as 8x8 or 4x4x4"},
      {"2x2x2x2x2x2", "'2x2x2x2x2x2' has more than 5 sides"},
  };
  int32_t sides[RH_TORUS_MAX];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(rh_torus_read(rows[i].text, 64, sides), RH_EINVAL);
    assert_string_equal(rh_error_message(), rows[i].message);
  }
  assert_int_equal(rh_torus_read("4x4x4", 64, sides), RH_OK);
  assert_memory_equal(sides, ((int32_t[RH_TORUS_MAX]){4, 4, 4}), sizeof sides);
  assert_int_equal(rh_torus_read("", 64, sides), RH_OK);
  assert_int_equal(sides[0], 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(auto_goes_by_bytes_and_ranks),
      cmocka_unit_test(a_choice_takes_its_kind_at_any_size),
      cmocka_unit_test(tori_of_groups_are_as_equal_as_they_can_be),
      cmocka_unit_test(shards_are_never_more_than_ranks),
      cmocka_unit_test(sides_that_make_no_torus_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

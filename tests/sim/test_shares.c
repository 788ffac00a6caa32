/* Max-min rates: small systems by hand, random ones by what defines the solution. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>

#include "shares.h"

static void set_capacities(shares *s, const double *capacity_Bps)
{
  for (int32_t i = 0; i < s->link_count; i++)
    s->links[i].capacity_Bps = capacity_Bps[i];
}

/* One long flow over three links and a short one on each: where the long one has the least, the short ones take what it
 * leaves. */
static void narrow_links_come_first(void **state)
{
  (void)state;
  shares s;
  static const int32_t all[] = {0, 1, 2};
  shares_init(&s, 3, 3);
  shares_reserve(&s, 4);
  set_capacities(&s, (const double[]){10, 3, 5});
  shares_add(&s, 0, all, 3, 1, INFINITY);
  for (int32_t i = 0; i < 3; i++)
    shares_add(&s, 1 + i, all + i, 1, 1, INFINITY);
  shares_find(&s);
  static const double expected[] = {1.5, 8.5, 1.5, 3.5};
  for (int i = 0; i < 4; i++)
    assert_true(fabs(s.flows[i].rate_Bps - expected[i]) <= 1e-15);
  shares_remove(&s, 2); /* the long one may have the whole second link */
  shares_find(&s);
  assert_true(fabs(s.flows[0].rate_Bps - 2.5) <= 1e-15);
  assert_true(fabs(s.flows[1].rate_Bps - 7.5) <= 1e-15);
  assert_true(fabs(s.flows[3].rate_Bps - 2.5) <= 1e-15);
  shares_clear(&s);
}

static void weights_and_limits_count(void **state)
{
  (void)state;
  shares s;
  static const int32_t link[] = {0};
  shares_init(&s, 1, 1);
  shares_reserve(&s, 3);
  set_capacities(&s, (const double[]){12});
  shares_add(&s, 0, link, 1, 2, INFINITY);
  shares_add(&s, 1, link, 1, 1, INFINITY);
  shares_add(&s, 2, link, 1, 3, 1.5);
  shares_find(&s);
  assert_true(fabs(s.flows[0].rate_Bps - 7) <= 1e-14);
  assert_true(fabs(s.flows[1].rate_Bps - 3.5) <= 1e-14);
  assert_true(fabs(s.flows[2].rate_Bps - 1.5) <= 1e-14);
  shares_clear(&s);
}

enum { LINKS = 12, FLOWS = 30, LONGEST = 5 };

/* No link carries more than it can, and every flow is at its limit or crosses a full link on which nobody has a higher
 * level: that defines the solution. */
static void expect_max_min(const shares *s, const bool *there)
{
  double load_Bps[LINKS] = {0}, level[LINKS] = {0};
  for (int f = 0; f < FLOWS; f++)
    for (int32_t k = 0; there[f] && k < s->flows[f].link_count; k++) {
      const int32_t link = s->flows[f].links[k];
      load_Bps[link] += s->flows[f].rate_Bps;
      level[link] = fmax(level[link], s->flows[f].rate_Bps / s->flows[f].weight);
    }
  for (int i = 0; i < LINKS; i++)
    assert_true(load_Bps[i] <= s->links[i].capacity_Bps * (1 + 1e-12));
  for (int f = 0; f < FLOWS; f++) {
    const share_flow *flow = &s->flows[f];
    bool held = !there[f] || flow->rate_Bps == flow->limit_Bps;
    for (int32_t k = 0; !held && k < flow->link_count; k++) {
      const int32_t link = flow->links[k];
      held = load_Bps[link] >= s->links[link].capacity_Bps * (1 - 1e-12) &&
             flow->rate_Bps / flow->weight >= level[link] * (1 - 1e-12);
    }
    assert_true(held);
  }
}

static void random_rates_are_max_min(void **state)
{
  (void)state;
  shares s;
  static int32_t routes[FLOWS][LONGEST];
  bool there[FLOWS] = {false};
  double capacity_Bps[LINKS];
  srand(1);
  for (int i = 0; i < LINKS; i++)
    capacity_Bps[i] = 1 + rand() % 7;
  shares_init(&s, LINKS, LONGEST);
  shares_reserve(&s, FLOWS);
  set_capacities(&s, capacity_Bps);
  for (int change = 0; change < 5000; change++) {
    const int f = rand() % FLOWS;
    if (there[f]) {
      shares_remove(&s, f);
    } else {
      const int first = rand() % LINKS, step = 1 + 4 * (rand() % 2), count = 1 + rand() % LONGEST; /* 1 and 5 fit 12 */
      for (int k = 0; k < count; k++)
        routes[f][k] = (first + k * step) % LINKS;
      shares_add(&s, f, routes[f], count, 1 + rand() % 3, rand() % 4 == 0 ? .1 * (1 + rand() % 9) : INFINITY);
    }
    there[f] = !there[f];
    if (rand() % 3 == 0) continue; /* several changes at once */
    shares_find(&s);
    expect_max_min(&s, there);
  }
  shares_clear(&s);
}

/* Two transfers begin at the same instant, the first link of one is crossed by the other, and its second link by a
 * third one: SimGrid may leave that link out. Not so when each has a first link of its own. */
static void doubt_is_told(void **state)
{
  (void)state;
  static const int32_t a[] = {2, 0}, b[] = {0, 1}, c[] = {1}, d[] = {3, 1};
  for (int own = 0; own < 2; own++) {
    shares s;
    shares_init(&s, 4, 2);
    shares_reserve(&s, 3);
    set_capacities(&s, (const double[]){1, 1, 1, 1});
    shares_add(&s, 2, c, 1, 1, INFINITY);
    shares_find(&s);
    shares_add(&s, 0, a, 2, 1, INFINITY);
    shares_add(&s, 1, own ? d : b, 2, 1, INFINITY);
    shares_find(&s);
    assert_int_equal(s.doubtful, !own);
    shares_clear(&s);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(narrow_links_come_first),
                                     cmocka_unit_test(weights_and_limits_count),
                                     cmocka_unit_test(random_rates_are_max_min), cmocka_unit_test(doubt_is_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

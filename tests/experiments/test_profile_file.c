/* Profile files: what is read back, and what is refused. */
#include "cmocka_all.h"

#include <string.h>

#include "measure.h"
#include "profile_file.h"

/* What rh_profile_write wrote comes back bit for bit. */
static void a_profile_comes_back(void **state)
{
  (void)state;
  rh_profile profile = {.device = rh_text_duplicate("a \"board\""),
                        .backend = rh_text_duplicate("cuda"),
                        .about = rh_text_duplicate("\"threads\": 1"),
                        .commands = rh_text_duplicate("one --set a=b\ntwo")};
  rh_profile again = {0};
  rh_text json = {0}, once_more = {0};
  rh_profile_set(&profile, "cuda/b", 200, 1.0 / 3, 0.25, 0.5);
  rh_profile_set(&profile, "cuda/a", 25, 1e-7 / 7, 1e-8, 2e-8);
  profile.list[0].fit = (rh_fit){.kind = RH_FIT_GAMMA, .a = 1e5 / 3, .b = 1e-12 / 7, .distance = 0.05};
  profile.list[1].fit = (rh_fit){.kind = RH_FIT_EMPIRICAL, .distance = 0.2};
  for (int q = 0; q < RH_FIT_QUANTILES; q++)
    profile.list[1].fit.quantile_s[q] = (q + 1) / 3.0;
  rh_profile_write(&profile, &json);
  assert_int_equal(rh_profile_read(json.data, "here", &again), RH_OK);
  assert_string_equal(again.device, "a \"board\"");
  assert_string_equal(again.backend, "cuda");
  assert_string_equal(again.commands, profile.commands);
  assert_int_equal(again.count, 2);
  assert_true(again.list[0].median_s == 1e-7 / 7 && again.list[0].samples == 25);
  assert_true(again.list[1].median_s == 1.0 / 3 && again.list[1].low_s == 0.25 && again.list[1].high_s == 0.5);
  assert_memory_equal(&again.list[0].fit, &profile.list[0].fit, sizeof(rh_fit));
  assert_memory_equal(&again.list[1].fit, &profile.list[1].fit, sizeof(rh_fit));
  assert_true(rh_profile_hash(&again, NULL) == rh_profile_hash(&profile, NULL));
  again.about = rh_text_duplicate(profile.about); /* it is for readers alone */
  rh_profile_write(&again, &once_more);
  assert_string_equal(once_more.data, json.data);
  rh_text_clear(&json);
  rh_text_clear(&once_more);
  rh_profile_clear(&profile);
  rh_profile_clear(&again);
}

#define ENTRY(name, median, low, high)                                                                                 \
  "{\"name\": \"" name "\", \"samples\": 25, \"median_s\": " median ", \"low_s\": " low ", \"high_s\": " high "}"

#define WITH_FIT(fit)                                                                                                  \
  "{\"durations\": [{\"name\": \"cpu/a\", \"samples\": 200, \"median_s\": 2, \"low_s\": 1, \"high_s\": 3, "            \
  "\"fit\": " fit "}]}"

static void what_is_no_profile_is_refused(void **state)
{
  (void)state;
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"", "here: no JSON"},
      {"{\"device\": \"d\", \"durations\": [" ENTRY("cpu/a", "2", "1", "3"), "here: no JSON; it may have been cut off"},
      {"[1, 2]", "here: no profile: a JSON object with a list 'durations'"},
      {"{\"steps\": []}", "here: no profile: a JSON object with a list 'durations'"},
      {"{\"durations\": {}}", "here: no profile: a JSON object with a list 'durations'"},
      {"{\"durations\": [{\"name\": \"cpu/a\", \"median_s\": 1}]}", "durations[0]: name, samples, median_s"},
      {"{\"durations\": [" ENTRY("cpu/a", "\"fast\"", "1", "3") "]}", "durations[0]: name, samples, median_s"},
      {"{\"durations\": [" ENTRY("cpu/a", "0", "0", "0") "]}", "durations[0]: 'cpu/a' takes 0 s; no step takes"},
      {"{\"durations\": [" ENTRY("cpu/a", "-1", "-2", "3") "]}", "durations[0]: 'cpu/a' takes -1 s; no step takes"},
      {"{\"durations\": [" ENTRY("cpu/a", "4", "1", "3") "]}", "its median, 4 s, is outside its own quantiles, 1 to 3"},
      {"{\"durations\": [" ENTRY("cpu/a", "2", "1", "3") "," ENTRY("cpu/a", "2", "1", "3") "]}",
       "durations[1]: 'cpu/a' is there twice"},
      {"{\"backend\": \"cuda\", \"durations\": [" ENTRY("cpu/a", "2", "1", "3") "]}",
       "'cpu/a' is not of the profile's backend, 'cuda'"},
      {"{\"backend\": \"cu\", \"durations\": [" ENTRY("cuda/a", "2", "1", "3") "]}",
       "'cuda/a' is not of the profile's backend, 'cu'"},
      {WITH_FIT("1"), "durations[0]: its fit is none of lognormal"},
      {WITH_FIT("{\"kind\": \"weibull\", \"distance\": 0.1}"), "durations[0]: its fit is none of lognormal"},
      {WITH_FIT("{\"kind\": \"gamma\", \"shape\": 0, \"scale_s\": 1, \"distance\": 0.1}"), "its fit is none of"},
      {WITH_FIT("{\"kind\": \"lognormal\", \"log_mean\": 0, \"log_deviation\": 1}"), "its fit is none of"},
      {WITH_FIT("{\"kind\": \"empirical\", \"quantiles_s\": [1, 2, 3], \"distance\": 0.1}"), "21 of them, rising"},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_profile profile = {0};
    assert_int_equal(rh_profile_read(cases[i].text, "here", &profile), RH_EFORMAT);
    if (!strstr(rh_error_message(), cases[i].says)) fail_msg("case %zu says: %s", i, rh_error_message());
    assert_int_equal(profile.count, 0);
    assert_null(profile.device);
  }
}

/* A command that is repeated is not noted again, one that begins alike is. */
static void commands_are_noted_once(void **state)
{
  (void)state;
  rh_profile profile = {0};
  static const char *const commands[] = {"calibrate a.yaml -o x", "calibrate a.yaml", "calibrate a.yaml -o x"};
  for (size_t i = 0; i < RH_COUNT(commands); i++)
    rh_profile_add_command(&profile, commands[i]);
  assert_string_equal(profile.commands, "calibrate a.yaml -o x\ncalibrate a.yaml");
  rh_profile_clear(&profile);
}

static void a_wide_spread_is_disturbed(void **state)
{
  (void)state;
  assert_false(rh_duration_disturbed(&(rh_duration){.median_s = 4, .low_s = 3.5, .high_s = 4.5}));
  assert_true(rh_duration_disturbed(&(rh_duration){.median_s = 4, .low_s = 3.5, .high_s = 4.625}));
  assert_true(rh_duration_spread(&(rh_duration){.median_s = 4, .low_s = 3, .high_s = 5}) == 0.5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_profile_comes_back),
      cmocka_unit_test(what_is_no_profile_is_refused),
      cmocka_unit_test(commands_are_noted_once),
      cmocka_unit_test(a_wide_spread_is_disturbed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

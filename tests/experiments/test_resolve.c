/* Resolved runs: defaults, canonical text, and the place of every value that does not fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "run.h"

static char directory[] = "/tmp/rehearse-resolve-XXXXXX";
static char platform[64];

static int make_directory(void **state)
{
  (void)state;
  if (!mkdtemp(directory)) return -1;
  snprintf(platform, sizeof platform, "%s/p.xml", directory);
  FILE *file = fopen(platform, "w");
  return file ? fclose(file) : -1;
}

static int remove_directory(void **state)
{
  (void)state;
  unlink(platform);
  return rmdir(directory);
}

/* Settings of "key=value" texts, NULL-terminated; their places are "s.yaml:1:1", "s.yaml:2:1", ... */
static rh_settings settings_of(const char *const *texts)
{
  rh_settings settings = {0};
  for (int i = 0; texts[i]; i++) {
    char key[64], where[32];
    const char *equals = strchr(texts[i], '=');
    snprintf(key, sizeof key, "%.*s", (int)(equals - texts[i]), texts[i]);
    snprintf(where, sizeof where, "s.yaml:%d:1", i + 1);
    rh_settings_set(&settings, key, equals + 1, where, "");
  }
  return settings;
}

static rh_status resolve(const char *const *texts, rh_run *run)
{
  char with_slash[64];
  snprintf(with_slash, sizeof with_slash, "%s/", directory);
  rh_settings settings = settings_of(texts);
  rh_status status = rh_run_resolve(&settings, "study", "question?", with_slash, run);
  rh_settings_clear(&settings);
  return status;
}

static rh_run good(const char *const *texts)
{
  rh_run run;
  if (resolve(texts, &run) != RH_OK) fail_msg("%s", rh_error_message());
  return run;
}

static void defaults_are_complete(void **state)
{
  (void)state;
  rh_run run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", NULL});
  assert_string_equal(run.study, "study");
  assert_string_equal(run.platform_path, platform);
  assert_int_equal(run.platform.workers, 4);
  assert_null(run.hostfile_path);
  assert_null(run.deployment_path);
  assert_string_equal(run.network.model, "");
  assert_int_equal(run.network.protocol, RH_PROTOCOL_RENDEZVOUS);
  assert_int_equal(run.network.collective, RH_ALLREDUCE_RING);
  assert_string_equal(run.network.torus, "");
  assert_int_equal(run.network.shards, 1);
  assert_string_equal(run.dataset_kind->name, "glyphs");
  assert_int_equal(run.partition.kind, RH_PARTITION_IID);
  assert_string_equal(run.model_kind->name, "cnn");
  assert_string_equal(run.method->name, "allreduce");
  assert_null(run.graph_kind); /* allreduce needs none */
  assert_string_equal(run.compressor->name, "none");
  assert_int_equal(run.train.rounds, 100);
  assert_int_equal(run.train.batch, 32);
  assert_true(run.train.rate.lr == 0.02 && run.train.optimiser.momentum == 0.9 && run.train.optimiser.decay == 0);
  assert_int_equal(run.train.rate.lr_steps.count, 0);
  assert_int_equal(run.train.evaluate_every, 10);
  assert_int_equal(run.train.evaluate_replicas, 8);
  assert_int_equal(run.train.evaluate_samples, 0);
  assert_int_equal(run.time.source, RH_TIME_MEASURED);
  assert_true(run.time.efficiency == 0.3);
  assert_int_equal(run.run.threads, 0);
  assert_true(run.run.memory == 0);
  assert_int_equal(run.run.seed, 1);
  assert_true(run.stop.accuracy == 0);
  rh_run_clear(&run);
}

static void gossip_takes_a_graph(void **state)
{
  (void)state;
  rh_run run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "train.method=dpsgd", NULL});
  assert_string_equal(run.graph_kind->name, "ring");
  assert_false(run.graph.directed);
  assert_int_equal(run.graph.weights, RH_WEIGHTS_METROPOLIS);
  rh_run_clear(&run);
  run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "train.method=dpsgd",
                                   "graph.directed=yes", NULL});
  assert_int_equal(run.graph.weights, RH_WEIGHTS_UNIFORM); /* metropolis weights need an undirected graph */
  rh_run_clear(&run);
  run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "train.method=dpsgd",
                                   "graph.name=one-peer", NULL});
  assert_true(run.graph.directed); /* it has no other form */
  assert_int_equal(run.graph.weights, RH_WEIGHTS_UNIFORM);
  rh_run_clear(&run);
}

/* The file of edges is beside the study, as the platform is. */
static void a_file_of_edges_is_found_and_read(void **state)
{
  (void)state;
  char path[64];
  rh_graph_sequence graphs;
  snprintf(path, sizeof path, "%s/edges.txt", directory);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("0 1\n1 2\n", file);
  assert_int_equal(fclose(file), 0);
  rh_run run = good((const char *const[]){"platform.file=p.xml", "platform.workers=3", "train.method=dpsgd",
                                          "graph.name=file", "graph.file=edges.txt", NULL});
  assert_string_equal(run.graph_path, path);
  assert_int_equal(rh_run_graphs(&run, &graphs), RH_OK);
  assert_int_equal(graphs.all.out_offset[3], 4);
  rh_graph_sequence_clear(&graphs);
  rh_run_clear(&run);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(resolve((const char *const[]){"platform.file=p.xml", "platform.workers=3", "train.method=dpsgd",
                                                 "graph.name=file", "graph.file=edges.txt", NULL},
                           &run),
                   RH_EIO);
  assert_non_null(strstr(rh_error_message(), "s.yaml:5:1: graph.file: no file 'edges.txt'; tried"));
}

/* dpsgd averages, which needs rows and columns that sum to 1, over a graph that stays. */
static void graphs_that_the_method_cannot_use_are_refused(void **state)
{
  (void)state;
  rh_graph_sequence graphs;
  rh_run run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "train.method=dpsgd",
                                          "graph.name=star", "graph.weights=uniform", NULL});
  assert_int_equal(rh_run_graphs(&run, &graphs), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "'dpsgd' needs rows and columns of mixing weights that sum to 1; with "
                                             "uniform weights column 0 of graph 'star' sums to 1.75"));
  rh_run_clear(&run);
  run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "train.method=dpsgd",
                                   "graph.name=one-peer", NULL});
  assert_int_equal(rh_run_graphs(&run, &graphs), RH_EUNSUPPORTED);
  assert_non_null(strstr(rh_error_message(), "graph 'one-peer' is another one in every round, and 'dpsgd' needs one"));
  rh_run_clear(&run);
}

/* The settings that canonical lines stand for. */
static rh_settings read_lines(char *lines)
{
  rh_settings settings = {0};
  for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n")) {
    char *equals = strchr(line, '=');
    assert_non_null(equals);
    *equals = '\0';
    rh_settings_set(&settings, line, equals + 1, "line", "");
  }
  return settings;
}

static void canonical_text_reads_back_to_itself(void **state)
{
  (void)state;
  rh_run run = good((const char *const[]){
      "platform.file=p.xml", "platform.workers=4", "train.method=dpsgd", "graph.name=complete", "graph.directed=yes",
      "compress.name=qsgd", "compress.bits=3", "data.partition=skew", "data.skew=0.80", "model.name=mlp",
      "train.lr=1e-1", "train.lr_steps= 100:0.1  150:1e-2", "train.optimiser=adamw", "train.lr_schedule=cosine",
      "train.nesterov=yes", "run.memory=1.5 GiB", "stop.accuracy=.9", "time.source=flops", NULL});
  rh_text first = {0}, second = {0};
  rh_run_write(&run, &first);
  assert_non_null(strstr(first.data, "run.memory=1610612736B\n"));
  assert_non_null(strstr(first.data, "train.lr=0.1\n"));
  assert_non_null(strstr(first.data, "train.lr_steps=100:0.1 150:0.01\n"));
  assert_non_null(strstr(first.data, "train.optimiser=adamw\n"));
  assert_non_null(strstr(first.data, "train.lr_schedule=cosine\n"));
  assert_non_null(strstr(first.data, "train.nesterov=on\n"));
  assert_non_null(strstr(first.data, "graph.weights=uniform\n"));
  assert_non_null(strstr(first.data, "compress.bits=3\n"));
  char *copy = rh_text_duplicate(first.data);
  rh_settings settings = read_lines(copy);
  rh_run again;
  if (rh_run_resolve(&settings, "study", "", run.directory, &again) != RH_OK) fail_msg("%s", rh_error_message());
  rh_run_write(&again, &second);
  assert_string_equal(first.data, second.data);
  free(copy);
  rh_settings_clear(&settings);
  rh_run_clear(&run);
  rh_run_clear(&again);
  rh_text_clear(&first);
  rh_text_clear(&second);
}

/* Keys of other components are let through: a study that varies the component gives the keys of all. */
static void keys_of_other_components_pass(void **state)
{
  (void)state;
  rh_run run = good((const char *const[]){"platform.file=p.xml", "platform.workers=4", "compress.name=none",
                                          "compress.bits=4", "graph.name=torus", NULL});
  rh_text lines = {0};
  rh_run_write(&run, &lines);
  assert_null(strstr(lines.data, "compress.bits"));
  assert_null(strstr(lines.data, "graph."));
  rh_text_clear(&lines);
  rh_run_clear(&run);
}

static void bad_values_name_their_places(void **state)
{
  (void)state;
  static const struct {
    const char *setting;
    rh_status code;
    const char *message; /* begins with */
  } cases[] = {
      {"train.lr=fast", RH_EINVAL, "s.yaml:3:1: train.lr: 'fast'"},
      {"train.lr=-1", RH_EINVAL, "s.yaml:3:1: train.lr: -1 is out of range: at least 0"},
      {"train.batch=0", RH_EINVAL, "s.yaml:3:1: train.batch: 0 is out of range: 1 to 1000000"},
      {"train.rounds=1.5", RH_EINVAL, "s.yaml:3:1: train.rounds: '1.5' is not a whole number"},
      {"train.lr_steps=10", RH_EINVAL, "s.yaml:3:1: train.lr_steps: '10' is not a list of round:factor pairs"},
      {"train.lr_min=1", RH_EINVAL, "s.yaml:3:1: train.lr_min: lr_min 1 is larger than lr 0.02, the largest rate"},
      {"train.lr_warmup=100", RH_EINVAL, "s.yaml:3:1: train.lr_warmup: lr_warmup 100 and lr_cooldown 0 leave none"},
      {"train.lr_cooldown=100", RH_EINVAL, "s.yaml:3:1: train.lr_cooldown: lr_warmup 0 and lr_cooldown 100 leave none"},
      {"train.optimiser=adam", RH_EINVAL, "s.yaml:3:1: train.optimiser: 'adam' is unknown; did you mean 'adamw'?"},
      {"train.label_smoothing=1.5", RH_EINVAL, "s.yaml:3:1: train.label_smoothing: 1.5 is out of range: 0 to 1"},
      {"train.learning_rate=1", RH_EINVAL, "s.yaml:3:1: train.learning_rate: unknown key"},
      {"train.momentun=1", RH_EINVAL, "s.yaml:3:1: train.momentun: unknown key; did you mean 'momentum'?"},
      {"train.method=alreduce", RH_EINVAL, "s.yaml:3:1: train.method: no method 'alreduce'; did you mean 'allreduce'?"},
      {"compress.name=zip", RH_EINVAL, "s.yaml:3:1: compress.name: no compressor 'zip'; one of: none qsgd"},
      {"compress.bit=4", RH_EINVAL, "s.yaml:3:1: compress.bit: unknown key; did you mean 'bits'?"},
      {"model.name=resnet", RH_EINVAL, "s.yaml:3:1: model.name: no model 'resnet'"},
      {"data.name=glyph", RH_EINVAL, "s.yaml:3:1: data.name: no data set 'glyph'; did you mean 'glyphs'?"},
      {"data.partition=random", RH_EINVAL, "s.yaml:3:1: data.partition: 'random' is unknown"},
      {"graph.name=web", RH_EINVAL, "s.yaml:3:1: graph.name: no graph 'web'"},
      {"graph.directed=maybe", RH_EINVAL, "s.yaml:3:1: graph.directed: 'maybe' is neither on nor off"},
      {"network.collective=rings", RH_EINVAL,
       "s.yaml:3:1: network.collective: 'rings' is unknown; did you mean 'ring'?"},
      {"network.torus=3x2", RH_EINVAL,
       "s.yaml:3:1: network.torus: a torus of 3x2 has more than 4 ranks, the workers; the product must be equal"},
      {"network.shards=5", RH_EINVAL,
       "s.yaml:3:1: network.shards: 5 shards on 4 workers; each shard is on a worker of its own"},
      {"network.protocol=eagre", RH_EINVAL, "s.yaml:3:1: network.protocol: 'eagre' is unknown; did you mean 'eager'?"},
      {"run.memory=8", RH_EUNIT, "s.yaml:3:1: run.memory: '8'"},
      {"run.memory=8GX", RH_EUNIT, "s.yaml:3:1: run.memory: '8GX'"},
      {"run.seed=-1", RH_EINVAL, "s.yaml:3:1: run.seed: -1 is out of range"},
      {"stop.accuracy=90", RH_EINVAL, "s.yaml:3:1: stop.accuracy: 90 is out of range: 0 to 1"},
      {"time.source=guess", RH_EINVAL, "s.yaml:3:1: time.source: 'guess' is unknown; one of: measured profile flops"},
      {"time.efficiency=0", RH_EINVAL, "s.yaml:3:1: time.efficiency: 0 is out of range: 0.001 to 1"},
      {"platform.hostfile=none.txt", RH_EIO, "s.yaml:3:1: platform.hostfile: no file 'none.txt'; tried "},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_run run;
    rh_status status =
        resolve((const char *const[]){"platform.file=p.xml", "platform.workers=4", cases[i].setting, NULL}, &run);
    if (status != cases[i].code || strncmp(rh_error_message(), cases[i].message, strlen(cases[i].message)) != 0)
      fail_msg("%s: %s: %s", cases[i].setting, rh_status_name(status), rh_error_message());
    assert_null(run.study); /* empty */
  }
}

static void platform_and_workers_are_required(void **state)
{
  (void)state;
  rh_run run;
  assert_int_equal(resolve((const char *const[]){"platform.workers=4", NULL}, &run), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "platform.file is missing"));
  assert_int_equal(resolve((const char *const[]){"platform.file=p.xml", NULL}, &run), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "platform.workers is missing"));
  assert_int_equal(resolve((const char *const[]){"platform.file=p.xml", "platform.workers=0", NULL}, &run), RH_EINVAL);
  assert_string_equal(rh_error_message(), "s.yaml:2:1: platform.workers: 0 is out of range: 1 to 1000000");
  assert_int_equal(resolve((const char *const[]){"platform.file=q.xml", "platform.workers=4", NULL}, &run), RH_EIO);
  char tried[256];
  snprintf(tried, sizeof tried, "s.yaml:1:1: platform.file: no file 'q.xml'; tried '%s/q.xml', 'q.xml', ", directory);
  assert_memory_equal(rh_error_message(), tried, strlen(tried));
}

static void files_are_found_in_the_source_tree(void **state)
{
  (void)state;
  char *path = NULL;
  assert_int_equal(rh_find_file("README.md", "/nowhere/", "experiments", &path), RH_OK);
  assert_non_null(strstr(path, "experiments/README.md"));
  free(path);
  assert_int_equal(rh_find_file("/nowhere/README.md", "", "experiments", &path), RH_EIO);
  assert_string_equal(rh_error_message(), "no file '/nowhere/README.md'; tried '/nowhere/README.md'");
  assert_int_equal(rh_find_file("", "", "experiments", &path), RH_EINVAL);
}

static void every_section_describes_itself(void **state)
{
  (void)state;
  static const char *const names[] = {"platform", "network", "graph", "train", "time", "run", "stop"};
  for (size_t i = 0; i < RH_COUNT(names); i++) {
    size_t count;
    const rh_option *rows = rh_run_section(names[i], &count);
    assert_non_null(rows);
    for (size_t k = 0; k < count; k++)
      assert_true(rows[k].help && rows[k].help[0]);
  }
  size_t count;
  assert_null(rh_run_section("vary", &count));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_complete),
      cmocka_unit_test(gossip_takes_a_graph),
      cmocka_unit_test(a_file_of_edges_is_found_and_read),
      cmocka_unit_test(graphs_that_the_method_cannot_use_are_refused),
      cmocka_unit_test(canonical_text_reads_back_to_itself),
      cmocka_unit_test(keys_of_other_components_pass),
      cmocka_unit_test(bad_values_name_their_places),
      cmocka_unit_test(platform_and_workers_are_required),
      cmocka_unit_test(files_are_found_in_the_source_tree),
      cmocka_unit_test(every_section_describes_itself),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

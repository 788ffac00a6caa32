/* The option rows of the fixed sections: names, defaults, ranges and help in one place. */
#include <math.h>
#include <string.h>

#include "run.h"

#define ROW(type, field) .name = #field, .offset = offsetof(type, field)

/* Largest number of workers: SimGrid loads 65,536 hosts in under a second; beyond a million nothing was tried. */
#define WORKERS_MAX 1e6
/* Whole numbers up to here are exact in a double, in which ranges are compared. */
#define WHOLE_MAX 9007199254740992.0

static const rh_option platform_rows[] = {
    {ROW(rh_platform_options, file), .kind = RH_OPTION_TEXT,
     .help = "SimGrid platform XML, found beside the study, as given, or in the installed platforms"},
    {ROW(rh_platform_options, workers), .kind = RH_OPTION_INTEGER, .min = 1, .max = WORKERS_MAX,
     .help = "number of workers N, one per host; ranks follow the natural order of the host names"},
    {ROW(rh_platform_options, hostfile), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "file with one host name per line in rank order, instead of the natural order"},
    {ROW(rh_platform_options, deployment), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "SimGrid deployment XML whose actors' hosts are the ranks in order"},
};

static const rh_option network_rows[] = {
    {ROW(rh_network_options, model), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "SimGrid network model (CM02, LV08, ...) instead of the one in the platform file"},
    {ROW(rh_network_options, protocol), .kind = RH_OPTION_CHOICE, .fallback = "rendezvous",
     .choices = "rendezvous eager",
     .help = "whether a transfer starts when both sides are there (MPI above its threshold) or at once; its sender "
             "goes on when it has arrived"},
    {ROW(rh_network_options, collective), .kind = RH_OPTION_CHOICE, .fallback = "ring", .choices = RH_ALLREDUCE_CHOICES,
     .help =
         "algorithm of all-reduces; auto picks one for each operation by its bytes and ranks, as MPICH and Open MPI do "
         "(sim/collective/choice.h)"},
    {ROW(rh_network_options, torus), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "of collective torus: its sides, as 8x8 or 4x4x4, whose product is the workers and of which the first "
             "varies fastest with the rank; none: two, as equal as the workers allow"},
    {ROW(rh_network_options, shards), .kind = RH_OPTION_INTEGER, .fallback = "1", .min = 1, .max = WORKERS_MAX,
     .help = "of collective server: parts of the vector, each on a worker of its own, the first ones"},
    {ROW(rh_network_options, steady), .kind = RH_OPTION_SWITCH, .fallback = "on",
     .help = "skip what repeats, inside collectives and across rounds: the same times and bytes to 1e-9, much sooner"},
};

static const rh_option graph_rows[] = {
    {ROW(rh_graph_options, directed), .kind = RH_OPTION_SWITCH, .fallback = "off",
     .help = "whether messages go one way along each edge; graphs that have one form alone take it unless told"},
    {ROW(rh_graph_options, weights), .kind = RH_OPTION_CHOICE, .fallback = "metropolis",
     .choices = "uniform metropolis push",
     .help =
         "mixing weights 1 / (1 + neighbours): the receiver's (uniform), the larger number of both (metropolis), the "
         "sender's (push); unless told uniform on directed graphs, push for push-sum"},
};

static const rh_option train_rows[] = {
    {ROW(rh_train_options, rounds), .kind = RH_OPTION_INTEGER, .fallback = "100", .min = 1, .max = WHOLE_MAX,
     .help = "rounds to train, fewer if a stop condition holds before"},
    {ROW(rh_train_options, batch), .kind = RH_OPTION_INTEGER, .fallback = "32", .min = 1, .max = 1e6,
     .help = "samples per worker and round"},
    {ROW(rh_train_options, arithmetic), .kind = RH_OPTION_CHOICE, .fallback = "fp32", .choices = "fp32 int8",
     .help =
         "of a training step: int8 quantises weights, activations and their gradients to 8 bits (simulated in f32), "
         "and keeps f32 master weights and weight gradients; the seconds of a device with 8-bit units come from its "
         "profile (time.source)"},
    {ROW(rh_train_options, label_smoothing), .kind = RH_OPTION_REAL, .fallback = "0", .min = 0, .max = 1,
     .help = "share of the target that training spreads over all classes; evaluations do not"},
    {ROW(rh_train_options, evaluate_every), .kind = RH_OPTION_INTEGER, .fallback = "10", .min = 1, .max = WHOLE_MAX,
     .help = "rounds between evaluations of the mean model; the last round is always evaluated"},
    {ROW(rh_train_options, evaluate_replicas), .kind = RH_OPTION_INTEGER, .fallback = "8", .min = 1, .max = WORKERS_MAX,
     .help = "replicas sampled for the least, median and largest accuracy"},
    {ROW(rh_train_options, evaluate_samples), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = WHOLE_MAX,
     .help = "test samples per evaluation; 0: all of them"},
};

static const rh_option time_rows[] = {
    {ROW(rh_time_options, source), .kind = RH_OPTION_CHOICE, .fallback = "measured",
     .choices = "measured profile flops",
     .help = "where charged seconds come from: steps timed on this machine once per study, a file of steps timed on "
             "another one (time.profile), or a cost model"},
    {ROW(rh_time_options, profile), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "of source profile: the file, found beside the study, as given, or among the profiles that come with the "
             "program, where .json may be left out; `rehearse calibrate` writes such files"},
    {ROW(rh_time_options, jitter), .kind = RH_OPTION_TEXT, .fallback = "off",
     .help =
         "how durations vary from step to step, rank to rank and round to round, drawn by the seed: off; measured, as "
         "their timings did; or a coefficient of variation, as 0.1, of a lognormal with the charged seconds as mean"},
    {ROW(rh_time_options, draw), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = 65535,
     .help = "of jitter: which of many drawings; the seed's other draws, and so the values, stay as they are"},
    {ROW(rh_time_options, efficiency), .kind = RH_OPTION_REAL, .fallback = "0.3", .min = 0.001, .max = 1,
     .help = "of source flops: the share of a host's speed that training reaches"},
    {ROW(rh_time_options, int8_speedup), .kind = RH_OPTION_REAL, .fallback = "1", .min = 0.01, .max = 1000,
     .help =
         "of source flops with train.arithmetic int8: how much faster a host multiplies 8-bit values than f32, an "
         "assumption of yours; source measured charges this machine's f32 simulation of them, source profile what the "
         "file's device took, which may be one with 8-bit units"},
};

static const rh_option run_rows[] = {
    {ROW(rh_run_options, compute), .kind = RH_OPTION_CHOICE, .fallback = "real", .choices = "real none",
     .help = "real trains; none is timing only: messages and steps by the model's shapes, without data, values, "
             "accuracy or "
             "loss, also of layer tables (`rehearse models`) that are too large to train"},
    {ROW(rh_run_options, backend), .kind = RH_OPTION_CHOICE, .fallback = "auto", .choices = "auto cpu ref cuda",
     .help =
         "what computes: cuda (an NVIDIA GPU), cpu (OpenBLAS), ref (the slow oracle); auto is cuda where there is a "
         "GPU, else cpu. On a GPU methods with compression, error feedback or masks keep their rows in the program's "
         "memory, and copies of them travel in every round"},
    {ROW(rh_run_options, products), .kind = RH_OPTION_CHOICE, .fallback = "fp32", .choices = "fp32 tf32 bf16",
     .help = "of backend cuda: what products of dense layers round their factors to; sums and all else are fp32"},
    {ROW(rh_run_options, threads), .kind = RH_OPTION_INTEGER, .fallback = "0", .min = 0, .max = 4096,
     .help = "threads; 0: all cores, shared between jobs. Results do not depend on it"},
    {ROW(rh_run_options, memory), .kind = RH_OPTION_REAL, .unit = RH_UNIT_BYTE, .fallback = "0B", .min = 0,
     .max = WHOLE_MAX,
     .help = "limit for data, replicas and messages; 0B: half of the machine's. Results do not depend on it"},
    {ROW(rh_run_options, seed), .kind = RH_OPTION_INTEGER, .fallback = "1", .min = 0, .max = WHOLE_MAX,
     .help = "seed of everything that is drawn"},
    {ROW(rh_run_options, trace), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "rounds FROM..TO whose steps and messages are recorded one by one, for `export --format chrome-trace` and "
             "the report's chart of ranks: at most " RH_TEXT_OF(
                 RH_TRACE_MAX) " of them; steady states are not skipped before they end"},
    {ROW(rh_run_options, init), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "safetensors file, found beside the study or as given, whose model all workers start from instead of one "
             "that the seed draws (also --init FILE): F32, a tensor for each of the model's, as save writes them"},
    {ROW(rh_run_options, save), .kind = RH_OPTION_TEXT, .fallback = "",
     .help = "safetensors file that a run writes at its end (also --save FILE): the model that is evaluated, which is "
             "the workers' mean where they differ. It is written where the command runs, replaces what is there, and "
             "repeats a run that is done"},
};

static const rh_option stop_rows[] = {
    {ROW(rh_stop_options, accuracy), .kind = RH_OPTION_REAL, .fallback = "0", .min = 0, .max = 1,
     .help = "ends a run when the mean model reaches this test accuracy; 0: never"},
};

const rh_option *rh_run_section(const char *section, size_t *count)
{
  static const struct {
    const char *name;
    const rh_option *rows;
    size_t count;
  } sections[] = {
      {"platform", platform_rows, RH_COUNT(platform_rows)},
      {"network", network_rows, RH_COUNT(network_rows)},
      {"graph", graph_rows, RH_COUNT(graph_rows)},
      {"train", train_rows, RH_COUNT(train_rows)},
      {"time", time_rows, RH_COUNT(time_rows)},
      {"run", run_rows, RH_COUNT(run_rows)},
      {"stop", stop_rows, RH_COUNT(stop_rows)},
  };
  for (size_t i = 0; i < RH_COUNT(sections); i++)
    if (strcmp(sections[i].name, section) == 0) {
      *count = sections[i].count;
      return sections[i].rows;
    }
  *count = 0;
  return NULL;
}

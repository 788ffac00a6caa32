/* The program: finds the subcommand and hands over to it. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blas_kernel.h"
#include "commands.h"
#include "text.h"

typedef struct command {
  const char *name;
  const char *usage; /* NULL: not for users */
  const char *summary;
  int (*run)(int argc, char **argv);
  const char *heading; /* above it in the list; NULL: of the heading before */
} command;

/* The one list of subcommands. */
static const command commands[] = {
    {"run", "run STUDY.yaml", "run a study: train for real, simulate the network, record", rh_cmd_run, "Run"},
    {"plan", "plan STUDY.yaml -o DIR", "a study as numbered tasks for a queue such as Slurm", rh_cmd_plan, NULL},
    {"status", "status DIR", "how the tasks of a planned study stand", rh_cmd_status, NULL},
    {"merge", "merge FILE|DIR... -o FILE", "copy the runs of several databases into one", rh_cmd_merge, NULL},
    {"replay", "replay RUN", "a run again from its stored durations, compared row by row", rh_cmd_replay, NULL},
    {"list", "list", "the runs in a database", rh_cmd_list, "Read the results"},
    {"show", "show RUN", "one run: bottleneck, where time and bytes went, configuration", rh_cmd_show, NULL},
    {"compare", "compare", "configurations over seeds, against a baseline", rh_cmd_compare, NULL},
    {"scaling", "scaling", "what more workers bring: speed-up, efficiency, the best number", rh_cmd_scaling, NULL},
    {"report", "report -o FILE.html", "the answer as a page: words, charts, the network", rh_cmd_report, NULL},
    {"export", "export [RUN...] -f FORMAT", "rows, a trace or arrays for other tools", rh_cmd_export, NULL},
    {"keys", "keys [SECTION]", "the sections of a study and their keys", rh_cmd_keys, "Look up what a study can say"},
    {"methods", "methods [NAME]", "training methods", rh_cmd_catalogue, NULL},
    {"models", "models [NAME]", "models", rh_cmd_catalogue, NULL},
    {"compressors", "compressors [NAME]", "what messages are made of", rh_cmd_catalogue, NULL},
    {"datasets", "datasets [NAME]", "data sets and how workers share them", rh_cmd_catalogue, NULL},
    {"collectives", "collectives [NAME]", "collective operations and their closed forms", rh_cmd_catalogue, NULL},
    {"graphs", "graphs [NAME]", "who gossips with whom", rh_cmd_catalogue, NULL},
    {"platform", "platform FILE.xml", "describe, check and draw a platform file, or write one", rh_cmd_platform,
     "Know networks and machines"},
    {"calibrate", "calibrate [STUDY.yaml] -o FILE", "time real steps here, write a profile", rh_cmd_calibrate, NULL},
    {"doctor", "doctor", "libraries, machine, what is missing and what mends it", rh_cmd_doctor, NULL},
    {"_probe", NULL, NULL, rh_cmd_probe, NULL},
    {"_measure", NULL, NULL, rh_cmd_measure, NULL},
    {"_execute", NULL, NULL, rh_cmd_execute, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void print_help(void)
{
  printf("Usage: rehearse COMMAND [ARGUMENTS]\n"
         "Rehearse a distributed training run: real gradients, simulated network.\n");
  for (const command *c = commands; c->name; c++) {
    if (c->heading) printf("\n%s\n", c->heading);
    if (c->usage) printf("  %-32s %s\n", c->usage, c->summary);
  }
  printf("\n'rehearse COMMAND --help' describes a command. Results go to rehearse.db, or to what --db FILE names.\n"
         "Exit status: 0 done, 1 a run failed, 2 bad usage or input, 3 interrupted.\n");
}

static const char *command_name(const void *context, size_t i)
{
  (void)context;
  size_t shown = 0;
  for (const command *c = commands; c->name; c++)
    if (c->usage && shown++ == i) return c->name;
  return NULL;
}

/* A stream that the caller closed leads nowhere: else the next file that is opened would take its number, and what is
 * printed would end in it. */
static void keep_streams_open(void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(2);
}

/* The status of the command, unless what it printed was lost: on a full disk, for example. */
static int finish(int status)
{
  errno = 0;
  bool lost = fflush(stdout) != 0 || ferror(stdout);
  if (!lost || errno == EPIPE) return status; /* a reader that has seen enough is no failure */
  fprintf(stderr, "rehearse: the output cannot be written%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
  return status == 0 ? 1 : status;
}

int main(int argc, char **argv)
{
  rh_blas_kernel_choose(argv);
  keep_streams_open();
  signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then an error of the write that meets it */
  argp_err_exit_status = 2;
  setenv("ARGP_HELP_FMT", "no-dup-args-note,rmargin=99", 0); /* argp's way to be told how wide help is */
  if (argc < 2) {
    fprintf(stderr, "rehearse: no command given; 'rehearse --help' lists them\n");
    return 2;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_help();
    return finish(0);
  }
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    printf("rehearse %s\n", RH_VERSION);
    return 0;
  }
  for (const command *c = commands; c->name; c++)
    if (strcmp(name, c->name) == 0) {
      char title[64]; /* what usage texts and messages of the subcommand begin with */
      snprintf(title, sizeof title, "rehearse %s", c->name);
      argv[1] = title;
      return finish(c->run(argc - 1, argv + 1));
    }
  const char *nearest = rh_text_nearest(name, command_name, NULL);
  if (nearest)
    fprintf(stderr, "rehearse: no command '%s'; did you mean '%s'?\n", name, nearest);
  else
    fprintf(stderr, "rehearse: no command '%s'; 'rehearse --help' lists them\n", name);
  return 2;
}

/* The child's side of the probe: loads the platform and asks for the routes of a run, or describes it. SimGrid may end
 * this process at any moment; what it was about to do is then written by a signal handler. */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands.h"
#include "machine.h"
#include "probe_private.h"

typedef struct probe_arguments {
  rh_platform_def def;
  const char *pairs; /* file of "from to" lines */
  bool ring;
  const char *describe;  /* NULL, "text", "json" or "svg" */
  const char *no_routes; /* of a description: why not */
  double timeout_s;      /* of the processor, after which loading, or one route, is given up */
} probe_arguments;

enum {
  KEY_MODEL = 256,
  KEY_HOSTFILE,
  KEY_DEPLOYMENT,
  KEY_WORKERS,
  KEY_PAIRS,
  KEY_RING,
  KEY_DESCRIBE,
  KEY_NO_ROUTES,
  KEY_TIMEOUT
};

static error_t parse_argument(int key, char *argument, struct argp_state *state)
{
  probe_arguments *a = state->input;
  switch (key) {
  case KEY_MODEL:
    a->def.model = argument;
    return 0;
  case KEY_HOSTFILE:
    a->def.hostfile = argument;
    return 0;
  case KEY_DEPLOYMENT:
    a->def.deployment = argument;
    return 0;
  case KEY_WORKERS:
    a->def.workers = (int32_t)strtol(argument, NULL, 10);
    return 0;
  case KEY_PAIRS:
    a->pairs = argument;
    return 0;
  case KEY_RING:
    a->ring = true;
    return 0;
  case KEY_DESCRIBE:
    a->describe = argument;
    return 0;
  case KEY_NO_ROUTES:
    a->no_routes = argument;
    return 0;
  case KEY_TIMEOUT:
    a->timeout_s = strtod(argument, NULL);
    return 0;
  case ARGP_KEY_ARG:
    a->def.file = argument;
    return 0;
  case ARGP_KEY_NO_ARGS:
    argp_usage(state);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_option options[] = {{.name = "model", .key = KEY_MODEL, .arg = "NAME"},
                                             {.name = "hostfile", .key = KEY_HOSTFILE, .arg = "FILE"},
                                             {.name = "deployment", .key = KEY_DEPLOYMENT, .arg = "FILE"},
                                             {.name = "workers", .key = KEY_WORKERS, .arg = "N"},
                                             {.name = "pairs", .key = KEY_PAIRS, .arg = "FILE"},
                                             {.name = "ring", .key = KEY_RING},
                                             {.name = "describe", .key = KEY_DESCRIBE, .arg = "text|json|svg"},
                                             {.name = "no-routes", .key = KEY_NO_ROUTES, .arg = "REASON"},
                                             {.name = "timeout", .key = KEY_TIMEOUT, .arg = "SECONDS"},
                                             {0}};

/* What to say if SimGrid ends the process now; "" for nothing. Written in advance: a handler may not format. */
static char last_message[2048];
static char late_message[2048]; /* the same, if what it is about to do takes too long */
static rh_platform *platform;   /* for report_trying, which the description calls without a context */
static double timeout_s;        /* likewise */

static void say_last_message(int signal)
{
  const char *message = signal == SIGALRM || signal == SIGPROF ? late_message : last_message;
  /* The results can be nothing: the process is at its end. */
  ssize_t written = write(STDERR_FILENO, message, strlen(message));
  (void)written;
  _exit(128 + signal);
}

/* From now on: seconds of this process alone, so that a busy machine refuses nothing, and many routes may take long. */
static void limit_seconds(double limit_s)
{
  const double whole_s = floor(limit_s);
  const struct itimerval timer = {
      .it_value = {.tv_sec = (time_t)whole_s, .tv_usec = (suseconds_t)(1e6 * (limit_s - whole_s))}};
  setitimer(ITIMER_PROF, &timer, NULL);
}

/* A file of two lines can ask for more hosts than a machine has bytes. SimGrid is refused what a study would not get
 * either, and says that memory is exhausted. */
static void limit_memory(void)
{
#ifndef RH_SANITIZED /* AddressSanitizer's shadow is larger than any limit */
  struct rlimit limit;
  const rlim_t most = (rlim_t)rh_machine_memory_bytes() / 2;
  if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur <= most) return;
  limit.rlim_cur = most;
  (void)setrlimit(RLIMIT_DATA, &limit);
#endif
}

/* After loading, since SimGrid installs handlers of its own when it starts. */
static void install_handlers(void)
{
  const int signals[] = {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGPROF};
  struct sigaction action = {.sa_handler = say_last_message};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    sigaction(signals[i], &action, NULL);
}

/* What would make a route between two ranks. */
static void append_remedy(int32_t from, int32_t to, rh_text *text)
{
  const char *zone_from = rh_platform_zone(platform, from), *zone_to = rh_platform_zone(platform, to);
  if (strcmp(zone_from, zone_to) == 0)
    rh_text_append(text, "; add a <route> between them to zone '%s'", zone_from);
  else
    rh_text_append(text, "; add a <zoneRoute> between the zones '%s' and '%s'", zone_from, zone_to);
  rh_text_append(text, ", or take hosts that reach each other with platform.hostfile");
}

static void report_trying(int32_t from, int32_t to)
{
  rh_text text = {0};
  rh_text_append(&text, "\n" RH_PROBE_MARK "RH_EINVAL %s: hosts '%s' and '%s' have no route",
                 rh_platform_file(platform), rh_platform_host(platform, from), rh_platform_host(platform, to));
  append_remedy(from, to, &text);
  snprintf(last_message, sizeof last_message, "%s\n", rh_text_get(&text));
  snprintf(
      late_message, sizeof late_message,
      "\n" RH_PROBE_MARK
      "RH_EUNSUPPORTED %.1024s: SimGrid is not done with the route from '%s' to '%s' after %g s of the processor\n",
      rh_platform_file(platform), rh_platform_host(platform, from), rh_platform_host(platform, to), timeout_s);
  rh_text_clear(&text);
  limit_seconds(timeout_s);
}

/* Both ways: the network models ask for the way back, too, and a rendezvous answers. */
static rh_status check_pair(int32_t from, int32_t to)
{
  const rh_route *route;
  for (int way = 0; way < 2; way++) {
    int32_t a = way ? to : from, b = way ? from : to;
    report_trying(a, b);
    rh_status status = rh_platform_route(platform, a, b, &route);
    if (status == RH_EINVAL) {
      rh_text text = {0};
      rh_text_append(&text, "%s", rh_error_message());
      append_remedy(a, b, &text);
      status = rh_error(status, "%s", rh_text_get(&text));
      rh_text_clear(&text);
    }
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status check_pair_file(const char *path)
{
  rh_text text = {0};
  rh_status status = RH_OK;
  RH_TRY(rh_text_read_file(&text, path));
  const int32_t N = rh_platform_workers(platform);
  const char *at = rh_text_get(&text);
  for (char *end; *at; at = end) {
    long from = strtol(at, &end, 10);
    long to = strtol(end, &end, 10);
    if (*end != '\n' || from < 0 || from >= N || to < 0 || to >= N) {
      status = rh_error(RH_EFORMAT, "%s: not a file of pairs of the %d ranks", path, N);
      goto done;
    }
    end++;
    RH_TRY(check_pair((int32_t)from, (int32_t)to));
  }
done:
  rh_text_clear(&text);
  return status;
}

static rh_status check_ring(void)
{
  const int32_t N = rh_platform_workers(platform);
  for (int32_t rank = 0; rank < N && N > 1; rank++) {
    rh_status status = check_pair(rank, (rank + 1) % N);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status describe(const probe_arguments *a)
{
  rh_text text = {0};
  rh_status status = strcmp(a->describe, "svg") == 0 ? rh_platform_draw(platform, !a->no_routes, report_trying, &text)
                                                     : rh_platform_describe(platform, strcmp(a->describe, "json") == 0,
                                                                            a->no_routes, report_trying, &text);
  if (status == RH_OK) fputs(rh_text_get(&text), stdout);
  rh_text_clear(&text);
  return status;
}

/* Which devices the ranks' hosts are, each once, in the order of ranks. */
static void print_devices(void)
{
  rh_text seen = {0};
  int32_t plain = 0;
  for (int32_t rank = 0; rank < rh_platform_workers(platform); rank++) {
    const char *device = rh_platform_device(platform, rank);
    rh_text line = {0};
    rh_text_append(&line, "\ndevice=%s\n", device);
    if (!*device)
      plain++;
    else if (!strstr(rh_text_get(&seen), line.data))
      rh_text_append(&seen, "%s", line.data);
    rh_text_clear(&line);
  }
  printf("plain=%d%s", plain, seen.length ? seen.data : "\n");
  rh_text_clear(&seen);
}

static rh_status probe(const probe_arguments *a)
{
  rh_status status = RH_OK;
  RH_TRY(rh_platform_load(&a->def, &platform));
  alarm(0);
  install_handlers();
  snprintf(last_message, sizeof last_message, "%s", "");
  if (a->describe) return describe(a);
  RH_TRY(rh_platform_check_on(platform));
  if (a->ring) RH_TRY(check_ring());
  if (a->pairs) RH_TRY(check_pair_file(a->pairs));
  printf("model=%s\nversion=%s\nhosts=%d\nlinks=%d\n", rh_platform_model(platform), rh_platform_version(),
         rh_platform_host_count(platform), rh_platform_link_count(platform));
  print_devices();
done:
  return status;
}

int rh_cmd_probe(int argc, char **argv)
{
  static const struct argp argp = {.options = options, .parser = parse_argument, .args_doc = "FILE"};
  probe_arguments arguments = {.timeout_s = RH_PROBE_TIMEOUT_S};
  if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return 2;
  timeout_s = arguments.timeout_s;
  snprintf(late_message, sizeof late_message,
           "\n" RH_PROBE_MARK "RH_EUNSUPPORTED %.1024s: SimGrid is not done with this platform after %g s of the "
           "processor, or %g s by the clock\n",
           arguments.def.file, timeout_s, 10 * timeout_s);
  signal(SIGALRM, say_last_message);
  signal(SIGPROF, say_last_message);
  alarm((unsigned)ceil(10 * timeout_s)); /* for files that never come to an end, as pipes */
  limit_seconds(timeout_s);
  limit_memory();
  rh_status status = probe(&arguments);
  if (status != RH_OK) fprintf(stderr, "\n" RH_PROBE_MARK "%s %s\n", rh_status_name(status), rh_error_message());
  fflush(NULL);
  _exit(status == RH_OK ? 0 : 2); /* SimGrid's clean-up after a half-loaded platform may crash: nobody needs it */
}

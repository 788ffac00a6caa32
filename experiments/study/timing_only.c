/* What runs of timing alone (run.compute: none) cannot do. Nothing is made up for them: what follows from values is
 * refused here, with the remedy, before anything is created. */
#include "run.h"

bool rh_run_is_timing_only(const rh_run *run)
{
  return run->run.compute == RH_COMPUTE_NONE;
}

/* At the setting that is to be changed, or where the study asks for timing alone if that one is a default. */
static rh_status refuse(const rh_run *run, const char *key, const char *what, const char *name, const char *why)
{
  const rh_setting *setting = rh_settings_find(&run->settings, key);
  if (!setting) setting = rh_settings_find(&run->settings, "run.compute");
  return rh_settings_error(RH_EUNSUPPORTED, setting, "%s%s %s", what, name, why);
}

static rh_status check_lengths(const rh_run *run)
{
  const char *why = run->compressor->varies ? run->compressor->varies(run->compressor_options) : NULL;
  if (!why) return RH_OK;
  return refuse(run, "compress.name",
                "a run without values (run.compute: none) knows no lengths of messages that follow from them: ",
                run->compressor->name, why);
}

rh_status rh_run_check_compute(const rh_run *run)
{
  if (!rh_run_is_timing_only(run)) {
    if (!run->model_kind->table) return RH_OK;
    return refuse(run, "model.name", "model ", run->model_kind->name,
                  "is a layer table, shapes without values, and can be neither trained nor timed here: set "
                  "run.compute: none for its traffic and time alone");
  }
  if (run->method->needs_values)
    return refuse(run, "train.method", "a run without values (run.compute: none) does not go with method ",
                  run->method->name, run->method->needs_values);
  if (run->stop.accuracy > 0)
    return refuse(
        run, "stop.accuracy", "", "",
        "a run without values (run.compute: none) has no accuracy to stop at; leave it out, and set train.rounds");
  if (run->train.mask.kind != RH_MASK_NONE)
    return refuse(run, "train.mask", "", "",
                  "masks are made of weights, which a run without values (run.compute: none) has not; use mask: none");
  if (run->run.init[0] || run->run.save[0])
    return refuse(run, run->run.init[0] ? "run.init" : "run.save", "", "",
                  "a run without values (run.compute: none) has no model to start from or to save; leave it out");
  if (run->time.source == RH_TIME_MEASURED)
    return refuse(run, "time.source", "", "",
                  "time.source: measured times real steps on real values, and run.compute: none has none: set "
                  "time.source: flops, which counts operations at the hosts' speed, or profile, with a file that holds "
                  "the model's steps");
  return check_lengths(run);
}

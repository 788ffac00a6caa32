/* Whole passes of models on the device against `ref`: several replicas at once, with parameters of their own and with
 * shared ones. */
#include "model.h"
#include "pair.h"

enum { BATCH = 5, REPLICAS = 3, SIDE = 28, CLASSES = 10 };

static rh_model build(const char *name)
{
  rh_model model;
  const rh_model_kind *kind = rh_model_find(name);
  int64_t options[16] = {0};
  const rh_settings settings = {0};
  if (rh_option_read(kind->options, kind->option_count, "model", &settings, options) != RH_OK ||
      kind->build(options, (rh_shape){1, SIDE, SIDE}, CLASSES, &model) != RH_OK) {
    fprintf(stderr, "%s\n", rh_error_message());
    exit(1);
  }
  return model;
}

static rh_workspace *workspace(const rh_model *model, const rh_backend *backend, int64_t tile)
{
  rh_workspace *ws;
  if (rh_workspace_new(model, backend, BATCH, tile, &ws) == RH_OK) return ws;
  fprintf(stderr, "%s\n", rh_error_message());
  exit(1);
}

/* Gradients of a batch that all replicas see, whose parameters differ a little unless they are shared. */
static void compare_model(const rh_model *model, bool shared)
{
  const int64_t inputs = rh_shape_count(model->input), rows = shared ? 1 : REPLICAS;
  pair params = pair_random(rows, model->stride), grads = pair_poison(REPLICAS, model->stride);
  float *x = checked(calloc((size_t)(REPLICAS * BATCH * inputs), sizeof *x)),
        *row = checked(malloc(pair_bytes(&params)));
  int32_t labels[REPLICAS * BATCH];
  double loss[2][REPLICAS];
  int64_t correct[2][REPLICAS];
  rh_model_init_parameters(model, 1, row);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t p = 0; p < model->stride; p++) {
      float *const value = &params.host.data[r * params.host.stride + p];
      *value = row[p] + 0.01F * *value;
    }
  pair_send(&params);
  for (int64_t i = 0; i < REPLICAS * BATCH * inputs; i++)
    x[i] = (float)fabs(rh_rng_normal(&rng));
  for (int i = 0; i < REPLICAS * BATCH; i++)
    labels[i] = (int32_t)between(0, CLASSES - 1);
  rh_workspace *ref = workspace(model, &rh_backend_ref, REPLICAS), *device = workspace(model, gpu, REPLICAS);
  rh_workspace_fill(ref, REPLICAS, x, labels);
  rh_workspace_fill(device, REPLICAS, x, labels);
  rh_tensor on_host = params.host, on_device = params.device;
  if (shared) on_host.stride = on_device.stride = 0;
  rh_model_gradient(model, ref, REPLICAS, on_host, grads.host, loss[0], correct[0]);
  /* a device may record work that is repeated: of other samples first, so that only what is read anew is right */
  for (int call = 0; call < 4; call++) {
    const double sign = call < 3 ? -1 : 1;
    for (int64_t i = 0; i < REPLICAS * BATCH * inputs; i++)
      x[i] = (float)(sign * fabs((double)x[i]));
    rh_workspace_fill(device, REPLICAS, x, labels);
    rh_model_gradient(model, device, REPLICAS, on_device, grads.device, loss[1], correct[1]);
  }
  for (int r = 0; r < REPLICAS; r++)
    if (!(fabs(loss[1][r] - loss[0][r]) <= 1e-5 * loss[0][r]) || correct[0][r] != correct[1][r]) {
      fprintf(stderr, "model %s: loss of replica %d %.9g, expected %.9g\n", model->name, r, loss[1][r], loss[0][r]);
      exit(1);
    }
  /* of a whole model's gradients: errors of some layers' sums add up */
  pair_agree(model->name, &grads, 1e-5);
  pair_drop(&params);
  rh_workspace_free(ref);
  rh_workspace_free(device);
  free(x);
  free(row);
}

void test_models(void)
{
  static const char *const names[] = {"logreg", "mlp", "cnn", "vgg"};
  for (int i = 0; i < 4; i++) {
    const rh_model model = build(names[i]);
    compare_model(&model, false);
    compare_model(&model, true);
  }
}

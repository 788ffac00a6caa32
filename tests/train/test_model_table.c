/* Layer tables against published counts: parameters exactly, operations as published, to the digits that are. */
#include <math.h>

#include "../cmocka_all.h"
#include "model_build.h"
#include "model_table.h"

typedef struct published {
  const char *name;
  int64_t parameters;
  double multiply_adds, digits; /* of the forward pass of a sample; half a unit of the last digit that is published */
} published;

/* torchvision 0.21's documentation of the weights (num_params, _ops): ops are multiply-adds in units of 1e9. Llama 2:
 * the checkpoint's parameters, and the forward third of PaLM's 6 N + 12 L H Q T flop a token, N without
 * the embedding. */
static const published models[] = {
    {"resnet50", 25557032, 4.089e9, .0005e9},
    {"vgg16", 138357544, 15.47e9, .005e9},
    {"vit-b16", 86567656, 17.564e9, .0005e9},
    {"llama2-7b", 6738415616, 4096 * (6738415616. - 32000. * 4096 - 65. * 4096 + 2 * 32. * 4096 * 4096), .5},
};

static void parameters_and_operations_are_the_published_ones(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    rh_model m;
    build(&m, models[i].name, (rh_shape){0}, NULL);
    assert_true(m.table && rh_model_find(m.name)->table);
    assert_int_equal(m.parameters, models[i].parameters);
    const double multiply_adds = rh_model_forward_flop(&m) / 2;
    if (fabs(multiply_adds - models[i].multiply_adds) > models[i].digits)
      fail_msg("%s: %.9g multiply-adds, published %.9g", m.name, multiply_adds, models[i].multiply_adds);
  }
}

/* Segments follow each other without a gap and belong to layers in order; nothing is counted twice. */
static void parameters_lie_one_behind_the_other(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    rh_model m;
    build(&m, models[i].name, (rh_shape){0}, NULL);
    int64_t at = 0, of_layers = 0;
    for (int s = 0; s < m.segment_count; s++) {
      assert_int_equal(m.segments[s].offset, at);
      assert_int_equal(m.segments[s].count, m.segments[s].rows * m.segments[s].columns);
      at += m.segments[s].count;
    }
    for (int l = 0; l < m.layer_count; l++)
      of_layers += m.layers[l].weight_count + m.layers[l].bias_count;
    assert_int_equal(at, m.parameters);
    assert_int_equal(of_layers, m.parameters);
    assert_true(m.stride >= m.parameters && m.stride % 16 == 0);
  }
}

/* The backward pass: twice the forward one, but for the first layer with weights, whose input needs no gradient. */
static void backward_passes_are_twice_the_forward_ones(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    rh_model m;
    build(&m, models[i].name, (rh_shape){0}, NULL);
    const rh_layer *first = &m.layers[0];
    assert_true(fabs(rh_model_backward_flop(&m) - (2 * rh_model_forward_flop(&m) - first->kind->forward_flop(first))) <=
                1e-12 * rh_model_backward_flop(&m));
    assert_true(rh_model_backward_flop(&m) > rh_model_forward_flop(&m));
  }
}

/* Table 1 of He et al.: sides of 112, 56, 28, 14 and 7; table 1 of Simonyan and Zisserman: 25088 = 512 x 7 x 7. */
static void shapes_are_those_of_the_papers(void **state)
{
  (void)state;
  rh_model m;
  build(&m, "resnet50", (rh_shape){0}, NULL);
  assert_int_equal(m.layers[0].out.height, 112);
  const rh_layer *dense = &m.layers[m.layer_count - 1], *last = dense - 1;
  assert_int_equal(last->out.height, 7);
  assert_int_equal(last->out.channels, 2048);
  assert_int_equal(dense->weight_count, 2048 * 1000);
  build(&m, "vgg16", (rh_shape){0}, NULL);
  assert_int_equal(m.layers[13].weight_count, 25088 * 4096);
  build(&m, "vit-b16", (rh_shape){0}, NULL);
  assert_int_equal(m.layers[2].weight_count, 197 * 768);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parameters_and_operations_are_the_published_ones),
      cmocka_unit_test(parameters_lie_one_behind_the_other),
      cmocka_unit_test(backward_passes_are_twice_the_forward_ones),
      cmocka_unit_test(shapes_are_those_of_the_papers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

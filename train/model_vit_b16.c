/* ViT-B/16, the layer table: patches of 16x16 of an image of 224x224, a class token, twelve transformer blocks of width
 * 768 with 12 heads, one dense layer on the class token; 86,567,656 parameters with 1000 classes, 17.6 billion
 * multiply-adds for an image.
 */
#include <stdio.h>

#include "model_table.h"

enum { WIDTH = 768, HIDDEN = 3072, BLOCKS = 12, PATCH = 16 };

typedef struct vit_options {
  int64_t classes;
} vit_options;

static const rh_option rows[] = {RH_TABLE_CLASSES_ROW(vit_options)};

static const char *named(char *name, size_t size, int block, const char *what)
{
  snprintf(name, size, "block%d.%s", block, what);
  return name;
}

/* Every token attends to all: T x T products with keys, and as many with values, WIDTH multiply-adds each. */
static rh_shape add_block(rh_model *model, int block, rh_shape x)
{
  char name[24];
  const double tokens = (double)x.height;
  rh_shape y = rh_table_add_norm(model, named(name, sizeof name, block, "norm1"), x, true);
  rh_table_add_dense(model, named(name, sizeof name, block, "attention.in"), y, 3 * WIDTH, true);
  rh_table_add_products(model, named(name, sizeof name, block, "attention"), y, 2 * tokens * tokens * WIDTH);
  y = rh_table_add_dense(model, named(name, sizeof name, block, "attention.out"), y, WIDTH, true);
  y = rh_table_add_norm(model, named(name, sizeof name, block, "norm2"), y, true);
  y = rh_table_add_dense(model, named(name, sizeof name, block, "mlp1"), y, HIDDEN, true);
  return rh_table_add_dense(model, named(name, sizeof name, block, "mlp2"), y, WIDTH, true);
}

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  (void)input, (void)classes;
  const vit_options *o = options;
  rh_table_begin(model, rh_model_vit_b16.name, (rh_shape){3, 224, 224});
  rh_shape x = rh_table_add_conv(model, "patches", model->input, WIDTH, PATCH, PATCH, 0, true);
  x = (rh_shape){WIDTH, x.height * x.width + 1, 1};
  rh_table_add_lookup(model, "class", x, 1, WIDTH, x);
  rh_table_add_lookup(model, "position", x, x.height, WIDTH, x);
  for (int block = 1; block <= BLOCKS; block++)
    x = add_block(model, block, x);
  rh_table_add_norm(model, "norm", x, true);
  rh_table_add_dense(model, "dense", (rh_shape){WIDTH, 1, 1}, o->classes, true);
  rh_table_end(model);
  return RH_OK;
}

const rh_model_kind rh_model_vit_b16 = {
    .name = "vit-b16",
    .summary = "layer table of ViT-B/16 on images of 224x224: 86,567,656 parameters with 1000 classes",
    .source = "Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, table 1; with the dense layer of "
              "torchvision's vit_b_16",
    .table = true,
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(vit_options),
    .build = build};

#include "model_file.h"

#include <inttypes.h>
#include <string.h>

#include "safetensors.h"

/* The layer whose weight a segment is, or NULL. */
static const rh_layer *layer_of_weight(const rh_model *model, const rh_segment *segment)
{
  for (int l = 0; l < model->layer_count; l++)
    if (model->layers[l].weight_count > 0 && model->layers[l].weight_offset == segment->offset)
      return &model->layers[l];
  return NULL;
}

/* Name and shape of a segment in a file. */
static void describe(const rh_model *model, const rh_segment *segment, rh_named_tensor *t)
{
  const rh_layer *layer = layer_of_weight(model, segment);
  *t = (rh_named_tensor){.dtype = "F32", .dimensions = 1, .shape = {segment->count}};
  memcpy(t->name, segment->name, sizeof segment->name);
  if (!layer || !rh_layer_is_product(layer)) return;
  t->dimensions = 2;
  t->shape[0] = segment->rows;
  t->shape[1] = segment->columns;
  if (layer->kernel == 0) return;
  t->dimensions = 4;
  t->shape[1] = segment->columns / (layer->kernel * layer->kernel);
  t->shape[2] = t->shape[3] = layer->kernel;
}

static bool same_shape(const rh_named_tensor *a, const rh_named_tensor *b)
{
  return a->dimensions == b->dimensions && memcmp(a->shape, b->shape, (size_t)a->dimensions * sizeof a->shape[0]) == 0;
}

static rh_status read_segment(const rh_model *model, const rh_segment *segment, rh_tensor_file *file, float *row)
{
  rh_status status = RH_OK;
  rh_text wanted = {0}, found = {0};
  rh_named_tensor t;
  describe(model, segment, &t);
  const rh_named_tensor *in_file = rh_tensor_file_find(file, t.name);
  rh_tensor_shape_append(t.dimensions, t.shape, &wanted);
  if (!in_file) {
    status =
        rh_error(RH_EFORMAT, "%s: tensor '%s' %s of model %s is missing; a file for --init holds all of its tensors",
                 file->path, t.name, rh_text_get(&wanted), model->name);
    goto done;
  }
  rh_tensor_shape_append(in_file->dimensions, in_file->shape, &found);
  if (!same_shape(&t, in_file)) {
    status =
        rh_error(RH_ESHAPE,
                 "%s: tensor '%s' has the shape %s, but model %s needs %s; choose the model's options and the data "
                 "set that it was made for",
                 file->path, t.name, rh_text_get(&found), model->name, rh_text_get(&wanted));
    goto done;
  }
  status = rh_tensor_file_read(file, in_file, row + segment->offset);
done:
  rh_text_clear(&wanted);
  rh_text_clear(&found);
  return status;
}

static bool is_of_model(const rh_model *model, const char *name)
{
  for (int s = 0; s < model->segment_count; s++)
    if (strcmp(model->segments[s].name, name) == 0) return true;
  return false;
}

rh_status rh_model_read(const rh_model *model, const char *path, float *row)
{
  rh_status status = RH_OK;
  rh_tensor_file file = {0};
  RH_TRY(rh_tensor_file_open(path, &file));
  memset(row, 0, (size_t)model->stride * sizeof *row);
  for (int s = 0; s < model->segment_count; s++)
    RH_TRY(read_segment(model, &model->segments[s], &file, row));
  for (int64_t i = 0; i < file.count; i++)
    if (!is_of_model(model, file.list[i].name)) {
      status = rh_error(RH_EFORMAT, "%s: model %s has no tensor '%s'; leave it out, or choose the model that has it",
                        path, model->name, file.list[i].name);
      goto done;
    }
done:
  rh_tensor_file_close(&file);
  return status;
}

rh_status rh_model_write(const rh_model *model, const float *row, const char *const *notes, const char *path)
{
  rh_named_tensor list[RH_SEGMENTS_MAX];
  const float *values[RH_SEGMENTS_MAX];
  for (int s = 0; s < model->segment_count; s++) {
    describe(model, &model->segments[s], &list[s]);
    values[s] = row + model->segments[s].offset;
  }
  return rh_tensor_file_write(path, list, values, model->segment_count, notes);
}

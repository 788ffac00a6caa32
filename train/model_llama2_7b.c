/* Llama 2 7B, the layer table: 32 transformer blocks of width 4096, gated feed-forward layers of 11008, a vocabulary of
 * 32000, embedding and last layer apart; 6,738,415,616 parameters. A sample is one sequence of T tokens.
 *
 * Per token and pass forward: 2 flop for each weight of the products (the embedding is looked up), and 4 T x 4096 for
 * attention's two products of every block: all T x T of them, of which a kernel that knows the mask skips half. Three
 * times that, forward and backward, is the 6 N + 12 L H Q T of Chowdhery et al., PaLM, JMLR 24, 2023, appendix B.
 */
#include <stdio.h>

#include "model_table.h"

enum { WIDTH = 4096, HIDDEN = 11008, BLOCKS = 32, VOCABULARY = 32000 };

typedef struct llama_options {
  int64_t tokens;
} llama_options;

static const rh_option rows[] = {{.name = "tokens",
                                  .kind = RH_OPTION_INTEGER,
                                  .offset = offsetof(llama_options, tokens),
                                  .fallback = "4096",
                                  .min = 1,
                                  .max = 1 << 20,
                                  .help = "of layer tables of language models: length of a sample's sequence"}};

static const char *named(char *name, size_t size, int block, const char *what)
{
  snprintf(name, size, "block%d.%s", block, what);
  return name;
}

static rh_shape add_block(rh_model *model, int block, rh_shape x)
{
  char name[24];
  const double tokens = (double)x.height;
  rh_shape y = rh_table_add_norm(model, named(name, sizeof name, block, "norm1"), x, false);
  rh_table_add_dense(model, named(name, sizeof name, block, "query"), y, WIDTH, false);
  rh_table_add_dense(model, named(name, sizeof name, block, "key"), y, WIDTH, false);
  rh_table_add_dense(model, named(name, sizeof name, block, "value"), y, WIDTH, false);
  rh_table_add_products(model, named(name, sizeof name, block, "attention"), y, 2 * tokens * tokens * WIDTH);
  y = rh_table_add_dense(model, named(name, sizeof name, block, "out"), y, WIDTH, false);
  y = rh_table_add_norm(model, named(name, sizeof name, block, "norm2"), y, false);
  rh_table_add_dense(model, named(name, sizeof name, block, "gate"), y, HIDDEN, false);
  y = rh_table_add_dense(model, named(name, sizeof name, block, "up"), y, HIDDEN, false);
  return rh_table_add_dense(model, named(name, sizeof name, block, "down"), y, WIDTH, false);
}

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  (void)input, (void)classes;
  const llama_options *o = options;
  const rh_shape tokens = {1, o->tokens, 1};
  rh_table_begin(model, rh_model_llama2_7b.name, tokens);
  rh_shape x = rh_table_add_lookup(model, "embedding", tokens, VOCABULARY, WIDTH, (rh_shape){WIDTH, o->tokens, 1});
  for (int block = 1; block <= BLOCKS; block++)
    x = add_block(model, block, x);
  x = rh_table_add_norm(model, "norm", x, false);
  rh_table_add_dense(model, "dense", x, VOCABULARY, false);
  rh_table_end(model);
  return RH_OK;
}

const rh_model_kind rh_model_llama2_7b = {
    .name = "llama2-7b",
    .summary = "layer table of Llama 2 7B: 6,738,415,616 parameters; a sample is a sequence of `tokens`",
    .source = "Touvron et al., Llama 2: open foundation and fine-tuned chat models, arXiv 2307.09288; shapes as in its "
              "published configuration",
    .table = true,
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(llama_options),
    .build = build};

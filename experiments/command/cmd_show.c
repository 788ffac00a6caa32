/* rehearse show RUN [--db FILE] [--json] */
#include "commands.h"
#include "query.h"

static rh_status write_run(void *context, rh_store *store, rh_text *out)
{
  const rh_query *query = context;
  return rh_show_write(store, query->run, query->json, out);
}

int rh_cmd_show(int argc, char **argv)
{
  static const struct argp parser = {
      .args_doc = "RUN",
      .doc = "Shows everything that is known of one run. RUN is its id or the beginning of it.",
      .children = rh_query_run};
  rh_query query;
  argp_parse(&parser, argc, argv, 0, NULL, &query);
  return rh_query_answer("show", &query, write_run, &query);
}

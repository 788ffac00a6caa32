/* rehearse list [--db FILE] [--study NAME] [--json] */
#include "commands.h"
#include "query.h"

static rh_status write_list(void *context, rh_store *store, rh_text *out)
{
  const rh_query *query = context;
  rh_run_list runs = {0};
  const rh_status status = rh_store_list(store, query->study, NULL, &runs);
  if (status == RH_OK && query->json)
    rh_list_write_json(&runs, out);
  else if (status == RH_OK)
    rh_list_write(&runs, out);
  rh_run_list_clear(&runs);
  return status;
}

int rh_cmd_list(int argc, char **argv)
{
  static const struct argp parser = {.doc = "Lists the runs of a database, oldest first.", .children = rh_query_runs};
  rh_query query;
  argp_parse(&parser, argc, argv, 0, NULL, &query);
  return rh_query_answer("list", &query, write_list, &query);
}

/* Files of edges: what is read, and every mistake with its line and its cure. */
#include <string.h>
#include <unistd.h>

#include "graph_build.h"

static char path[] = "/tmp/rh_edges_XXXXXX";

static void write_bytes(const char *text, size_t length)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

static rh_status read_edges(const char *text, int32_t workers, bool directed, rh_graph_sequence *s)
{
  write_bytes(text, strlen(text));
  return try_sequence("file", workers, directed, RH_WEIGHTS_UNIFORM, "file", path, s);
}

static int make_file(void **state)
{
  (void)state;
  int descriptor = mkstemp(path);
  return descriptor < 0 || close(descriptor) != 0;
}

static int remove_file(void **state)
{
  (void)state;
  return unlink(path);
}

static void edges_are_read_both_ways_unless_directed(void **state)
{
  (void)state;
  rh_graph_sequence s;
  static const char text[] = "# a triangle with a tail\r\n0 1\r\n\r\n 1\t2 # one more\n2 0\n2 3";
  assert_int_equal(read_edges(text, 4, false, &s), RH_OK);
  const int32_t offsets[] = {0, 2, 4, 7, 8}, neighbours[] = {1, 2, 0, 2, 0, 1, 3, 2};
  assert_memory_equal(s.graphs[0].neighbours.out_offset, offsets, sizeof offsets);
  assert_memory_equal(s.graphs[0].neighbours.out, neighbours, sizeof neighbours);
  rh_graph_sequence_clear(&s);
  assert_int_equal(read_edges("0 1\n1 2\n2 0\n1 0\n", 3, true, &s), RH_OK);
  const int32_t out[] = {1, 0, 2, 0};
  assert_memory_equal(s.graphs[0].neighbours.out, out, sizeof out);
  rh_graph_sequence_clear(&s);
}

/* `found` instead of the options' name. */
static void the_found_file_is_read(void **state)
{
  (void)state;
  write_bytes("0 1\n", 4);
  const char *name = "edges.txt"; /* the kind's options are one name */
  const rh_graph_def def = {.kind = &rh_graph_file, .options = &name, .file = path, .workers = 2};
  rh_graph_sequence s;
  assert_string_equal(rh_graph_file.file(&name), "edges.txt");
  assert_int_equal(rh_graph_sequence_new(&def, &s), RH_OK);
  rh_graph_sequence_clear(&s);
}

static void mistakes_are_named_with_line_and_cure(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    bool directed;
    rh_status status;
    const char *message; /* after the path */
  } wrong[] = {
      {"0 1\n1 x\n", false, RH_EFORMAT, ":2: '1 x' is no edge; write two ranks such as 0 3, and comments after a #"},
      {"0\n", false, RH_EFORMAT, ":1: '0' is no edge"},
      {"0 1 2\n", false, RH_EFORMAT, ":1: '0 1 2' is no edge"},
      {"0-1\n", false, RH_EFORMAT, ":1: '0-1' is no edge"},
      {"0 1.5\n", false, RH_EFORMAT, ":1: '0 1.5' is no edge"},
      {"\x1b[31m 1\n", false, RH_EFORMAT, ":1: '?[31m 1' is no edge"},
      {"# none\n\n", false, RH_EFORMAT, ": holds no edge; write lines of two ranks such as 0 3"},
      {"0 1\n1 2\n\n2 4\n", false, RH_EINVAL,
       ":4: of the ranks in '2 4' one is unknown; 4 workers are 0 to 3: correct the line, or platform.workers"},
      {"-1 0\n", false, RH_EINVAL, ":1: of the ranks in '-1 0' one is unknown"},
      {"0 99999999999999999999\n", false, RH_EINVAL, ":1: of the ranks in '0 99999999999999999999' one is unknown"},
      {"0 1\n2 2\n", false, RH_EINVAL, ":2: worker 2 is its own neighbour; delete the line"},
      {"0 1\n1 2\n# again\n1 0\n", false, RH_EINVAL,
       ":4: the edge of 0 and 1 is on line 1 already, and goes both ways unless graph.directed is on; delete one"},
      {"0 1\n1 2\n0 1\n", true, RH_EINVAL, ":3: the edge of 0 and 1 is on line 1 already; delete one of the lines"},
      {"0 1\n1 2\n", false, RH_EINVAL, "no path leads from worker 0 to worker 3; add an edge"},
      {"0 1\n1 2\n2 3\n", true, RH_EINVAL, "no path leads from worker 1 to worker 0; add an edge"},
  };
  for (size_t k = 0; k < RH_COUNT(wrong); k++) {
    rh_graph_sequence s;
    assert_int_equal(read_edges(wrong[k].text, 4, wrong[k].directed, &s), wrong[k].status);
    const char *message = rh_error_message(), *rest = strstr(message, wrong[k].message);
    const bool placed = wrong[k].message[0] != ':' || strncmp(message, path, strlen(path)) == 0;
    if (!rest || !placed) fail_msg("'%s' lacks '%s'", message, wrong[k].message);
  }
  rh_graph_sequence s;
  write_bytes("0 1\n\0 2\n", 8);
  assert_int_equal(try_sequence("file", 2, false, RH_WEIGHTS_UNIFORM, "file", path, &s), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "holds a zero byte"));
}

static void a_missing_file_is_named(void **state)
{
  (void)state;
  rh_graph_sequence s;
  assert_int_equal(try_sequence("file", 4, false, RH_WEIGHTS_UNIFORM, "file", "/nowhere/edges", &s), RH_EIO);
  assert_non_null(strstr(rh_error_message(), "/nowhere/edges"));
  assert_int_equal(try_sequence("file", 4, false, RH_WEIGHTS_UNIFORM, NULL, NULL, &s), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "needs graph.file: the name of a file of edges"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(edges_are_read_both_ways_unless_directed),
      cmocka_unit_test(the_found_file_is_read),
      cmocka_unit_test(mistakes_are_named_with_line_and_cure),
      cmocka_unit_test(a_missing_file_is_named),
  };
  return cmocka_run_group_tests(tests, make_file, remove_file);
}

/* Edges from a file, one in a line: the ranks of the worker that sends and of the one that hears. Undirected, the edge
 * goes both ways and is written once. From # to the end of a line is a comment.
 *
 *     # a triangle with a tail
 *     0 1
 *     1 2
 *     2 0
 *     2 3
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "text.h"

typedef struct file_options {
  const char *file;
} file_options;

static const rh_option options[] = {
    {.name = "file",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(file_options, file),
     .fallback = "",
     .help = "file of edges, found beside the study or as given: lines of two ranks, the sender's first, # comments"},
};

/* An edge and its line, counted from 1. */
typedef struct written {
  int32_t from, to;
  int64_t line;
} written;

static int by_ends(const void *left, const void *right)
{
  const written *a = left, *b = right;
  if (a->from != b->from) return a->from < b->from ? -1 : 1;
  if (a->to != b->to) return a->to < b->to ? -1 : 1;
  return (a->line > b->line) - (a->line < b->line);
}

/* Reads one rank and moves on; false: no whole number is there. One that is no rank of 32 bits gives -1. */
static bool read_rank(const char **text, int32_t *rank)
{
  char *end;
  const char *start = *text + strspn(*text, " \t\r");
  if (!isdigit((unsigned char)*start) && *start != '-') return false;
  errno = 0;
  const long long value = strtoll(start, &end, 10);
  if (end == start || (*end && !strchr(" \t\r", *end))) return false;
  *rank = errno || value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
  *text = end;
  return true;
}

static rh_status unreadable(const char *path, int64_t number, char *line)
{
  for (char *c = line; *c; c++)
    if (iscntrl((unsigned char)*c)) *c = '?'; /* of a terminal */
  return rh_error(RH_EFORMAT, "%s:%lld: '%.40s' is no edge; write two ranks such as 0 3, and comments after a #", path,
                  (long long)number, line);
}

/* One line, which is changed. `found`: there is an edge in it. */
static rh_status read_line(const char *path, int64_t number, char *line, int32_t workers, written *edge, bool *found)
{
  const char *at = line;
  *found = false;
  line[strcspn(line, "#")] = '\0';
  if (!line[strspn(line, " \t\r")]) return RH_OK;
  if (!read_rank(&at, &edge->from) || !read_rank(&at, &edge->to) || at[strspn(at, " \t\r")])
    return unreadable(path, number, line);
  edge->line = number;
  if (edge->from < 0 || edge->to < 0 || edge->from >= workers || edge->to >= workers)
    return rh_error(RH_EINVAL,
                    "%s:%lld: of the ranks in '%.40s' one is unknown; %d workers are 0 to %d: correct the "
                    "line, or platform.workers",
                    path, (long long)number, line, workers, workers - 1);
  if (edge->from == edge->to)
    return rh_error(RH_EINVAL,
                    "%s:%lld: worker %d is its own neighbour; delete the line: everybody keeps a share of its "
                    "own model anyway",
                    path, (long long)number, edge->from);
  *found = true;
  return RH_OK;
}

/* All edges of the text, in its order. */
static rh_status read_lines(const char *path, rh_text *text, int32_t workers, written *list, size_t *count)
{
  int64_t number = 0;
  *count = 0;
  for (char *line = text->data, *next; line && *line; line = next) {
    bool found;
    char *end = strchr(line, '\n');
    next = end ? end + 1 : NULL;
    if (end) *end = '\0';
    rh_status status = read_line(path, ++number, line, workers, &list[*count], &found);
    if (status != RH_OK) return status;
    *count += found;
  }
  if (*count == 0) return rh_error(RH_EFORMAT, "%s: holds no edge; write lines of two ranks such as 0 3", path);
  return RH_OK;
}

/* Sorts the edges; undirected ones with the smaller rank first. */
static rh_status refuse_doubles(const char *path, bool directed, written *list, size_t count)
{
  for (size_t k = 0; k < count; k++)
    if (!directed && list[k].from > list[k].to) list[k] = (written){list[k].to, list[k].from, list[k].line};
  qsort(list, count, sizeof *list, by_ends);
  for (size_t k = 1; k < count; k++) {
    const written *a = &list[k - 1], *b = &list[k];
    if (a->from != b->from || a->to != b->to) continue;
    return rh_error(RH_EINVAL, "%s:%lld: the edge of %d and %d is on line %lld already%s; delete one of the lines",
                    path, (long long)b->line, b->from, b->to, (long long)a->line,
                    directed ? "" : ", and goes both ways unless graph.directed is on");
  }
  return RH_OK;
}

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  rh_status status = RH_OK;
  const file_options *o = def->options;
  const char *path = def->file ? def->file : o->file;
  rh_text text = {0};
  written *list = NULL;
  size_t count = 0, lines = 1;
  if (!path[0]) return rh_error(RH_EINVAL, "graph 'file' needs graph.file: the name of a file of edges");
  RH_TRY(rh_text_read_file(&text, path));
  if (strlen(rh_text_get(&text)) < text.length) {
    status = rh_error(RH_EFORMAT, "%s: holds a zero byte; a file of edges is text", path);
    goto done;
  }
  for (size_t k = 0; k < text.length; k++)
    lines += text.data[k] == '\n';
  list = rh_graph_allocate(lines, sizeof *list);
  RH_TRY(read_lines(path, &text, def->workers, list, &count));
  RH_TRY(refuse_doubles(path, def->directed, list, count));
  for (size_t k = 0; k < count; k++) {
    rh_edges_add(edges, list[k].from, list[k].to);
    if (!def->directed) rh_edges_add(edges, list[k].to, list[k].from);
  }
done:
  rh_text_clear(&text);
  free(list);
  return status;
}

static const char *file(const void *opaque)
{
  const file_options *o = opaque;
  return o->file;
}

const rh_graph_kind rh_graph_file = {
    .name = "file",
    .summary = "the edges that a file lists",
    .source = "-",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(file_options),
    .file = file,
    .edges = edges,
};

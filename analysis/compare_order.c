/* The order of configurations: by name, since that in which runs end says nothing. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* The number that a text begins with, times what a prefix of its unit says: 1e8 for "100Mbps". *text is
 * moved behind. */
static double quantity_at(const char **text)
{
  static const char prefixes[] = "kMGT";
  char *end;
  double value = strtod(*text, &end);
  const char *prefix = *end ? strchr(prefixes, *end) : NULL;
  if (prefix && (end[1] == 'b' || end[1] == 'B' || end[1] == 'f')) {
    value *= pow(1000, (double)(prefix - prefixes) + 1);
    end++;
  }
  *text = end;
  return value;
}

/* Like strcmp, with quantities by their size: "workers 4" stands before "workers 16", 100Mbps before 1Gbps. */
static int compare_names(const char *a, const char *b)
{
  while (*a && *b) {
    if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
      const double x = quantity_at(&a), y = quantity_at(&b);
      if (x != y) return x < y ? -1 : 1;
    } else if (*a != *b) {
      return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
    } else {
      a++;
      b++;
    }
  }
  return (*a != '\0') - (*b != '\0');
}

static int by_name(const void *a, const void *b)
{
  const rh_compared *x = a, *y = b;
  int order = compare_names(x->setting, y->setting);
  if (order == 0) order = strcmp(x->setting, y->setting); /* "1k" and "1000": settings stay together */
  return order ? order : compare_names(x->label, y->label);
}

void rh_comparison_sort(rh_comparison *c)
{
  if (c->count > 1) qsort(c->list, (size_t)c->count, sizeof *c->list, by_name);
}

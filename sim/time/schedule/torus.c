/* The sides of a torus of ranks. See torus.h. */
#include "torus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

rh_status rh_torus_read(const char *text, int32_t ranks, int32_t sides[RH_TORUS_MAX])
{
  memset(sides, 0, RH_TORUS_MAX * sizeof sides[0]);
  if (text[0] == '\0') return RH_OK;
  int64_t product = 1;
  const char *rest = text;
  for (int count = 0;; count++) {
    char *end;
    errno = 0;
    const long side = rest[0] >= '1' && rest[0] <= '9' ? strtol(rest, &end, 10) : 0;
    if (side < 1 || errno != 0 || (*end != 'x' && *end != '\0'))
      return rh_error(RH_EINVAL, "'%s' are no sides of a torus; write them as 8x8 or 4x4x4", text);
    if (count == RH_TORUS_MAX) return rh_error(RH_EINVAL, "'%s' has more than %d sides", text, (int)RH_TORUS_MAX);
    if (side > ranks / product)
      return rh_error(RH_EINVAL, "a torus of %s has more than %d ranks, the workers; the product must be equal", text,
                      (int)ranks);
    sides[count] = (int32_t)side;
    product *= side;
    if (*end == '\0') break;
    rest = end + 1;
  }
  if (product != ranks)
    return rh_error(RH_EINVAL, "a torus of %s has %lld ranks, not %d, the workers; the product must be equal", text,
                    (long long)product, (int)ranks);
  return RH_OK;
}

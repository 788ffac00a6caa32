/* Shares as digits. See sparkline.h. */
#include "sparkline.h"

int rh_sparkline_group(int count)
{
  return count > RH_SPARKLINE_WIDTH ? (count + RH_SPARKLINE_WIDTH - 1) / RH_SPARKLINE_WIDTH : 1;
}

void rh_sparkline_write(const double *values, int count, rh_text *out)
{
  const int group = rh_sparkline_group(count);
  for (int first = 0; first < count; first += group) {
    double sum = 0;
    const int end = first + group < count ? first + group : count;
    for (int k = first; k < end; k++)
      sum += values[k];
    const double tenths = 10 * sum / (end - first);
    rh_text_append(out, "%c", sum > 0 ? '0' + (tenths < 9 ? (int)tenths : 9) : '.');
  }
}

#include "orbit.h"

#include <math.h>

double orbit_period_s(double altitude_m)
{
  const double a = ORBIT_EARTH_M + altitude_m;
  return 2 * 3.14159265358979323846 * sqrt(a * a * a / ORBIT_MU_M3_PER_S2);
}

orbit_position orbit_at(double altitude_m, double inclination, double node, double u)
{
  const double a = ORBIT_EARTH_M + altitude_m;
  return (orbit_position){.x = a * (cos(node) * cos(u) - sin(node) * sin(u) * cos(inclination)),
                          .y = a * (sin(node) * cos(u) + cos(node) * sin(u) * cos(inclination)),
                          .z = a * sin(u) * sin(inclination)};
}

double orbit_distance_m(orbit_position a, orbit_position b)
{
  return sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z));
}

static double radius_m(orbit_position p)
{
  return sqrt(p.x * p.x + p.y * p.y + p.z * p.z);
}

double orbit_latitude(orbit_position p)
{
  return asin(p.z / radius_m(p));
}

double orbit_clearance_m(orbit_position a, orbit_position b)
{
  /* both at the same height: the middle is the nearest */
  const orbit_position middle = {(a.x + b.x) / 2, (a.y + b.y) / 2, (a.z + b.z) / 2};
  return radius_m(middle) - ORBIT_EARTH_M;
}

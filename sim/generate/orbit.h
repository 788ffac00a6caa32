/* Circular orbits of a Walker star constellation, and what two satellites see of each other.
 *
 * Symbols     P planes, S satellites of a plane, a semi-major axis in m, T period in s, i inclination,
 *             u argument of latitude (angle along the orbit from the equator, going north)
 * Source      Walker, Satellite constellations, JBIS 37, 1984; Vallado, Fundamentals of Astrodynamics and Applications;
 *             WGS 84 (mu and the equatorial radius)
 */
#ifndef RH_ORBIT_H
#define RH_ORBIT_H

#define ORBIT_MU_M3_PER_S2  3.986004418e14
#define ORBIT_EARTH_M       6378137.0
#define ORBIT_LIGHT_M_PER_S 299792458.0

typedef struct orbit_position {
  double x, y, z; /* m, inertial, z to the north pole */
} orbit_position;

double orbit_period_s(double altitude_m);
/* Of a satellite on a circular orbit; node: right ascension of its ascending node. Angles in radian. */
orbit_position orbit_at(double altitude_m, double inclination, double node, double u);
double orbit_distance_m(orbit_position a, orbit_position b);
double orbit_latitude(orbit_position p); /* radian, geocentric */
/* How near the line between two satellites comes to the earth's surface. */
double orbit_clearance_m(orbit_position a, orbit_position b);

#endif

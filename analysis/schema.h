/* The schema: every table and view of the store, in one place, as SQL text.
 *
 * A change to a table is a new RH_SCHEMA_VERSION. Views may gain columns, and lose or rename none: people's queries
 * stand on them.
 */
#ifndef RH_SCHEMA_H
#define RH_SCHEMA_H

#define RH_SCHEMA_APPLICATION 0x52485253 /* "RHRS": `PRAGMA application_id`, bytes 68 to 71 of the file */
#define RH_SCHEMA_VERSION     7          /* `PRAGMA user_version`, bytes 60 to 63 of the file */

/* The profile of a study that holds all durations measured for it so far, under this name instead of a hash. */
#define RH_SCHEMA_WHOLE "study"

extern const char rh_schema_sql[]; /* creates everything in an empty database, application_id and version included */

#endif

/* Subcommands: one cmd_*.c each. argv[0] is "rehearse <subcommand>". They print, and return the exit status:
 * 0 done, 1 a run failed, 2 bad usage or input, 3 interrupted. */
#ifndef RH_COMMANDS_H
#define RH_COMMANDS_H

/* The key of --json, which has no short form: -j is --jobs. */
enum { RH_KEY_JSON = 0x100 };

int rh_cmd_run(int argc, char **argv);      /* run STUDY */
int rh_cmd_plan(int argc, char **argv);     /* plan STUDY -o DIR */
int rh_cmd_status(int argc, char **argv);   /* status DIR */
int rh_cmd_merge(int argc, char **argv);    /* merge FILE... -o FILE */
int rh_cmd_list(int argc, char **argv);     /* list */
int rh_cmd_show(int argc, char **argv);     /* show RUN */
int rh_cmd_compare(int argc, char **argv);  /* compare */
int rh_cmd_scaling(int argc, char **argv);  /* scaling */
int rh_cmd_export(int argc, char **argv);   /* export RUN... */
int rh_cmd_report(int argc, char **argv);   /* report */
int rh_cmd_platform(int argc, char **argv); /* platform FILE */
int rh_cmd_catalogue(int argc,
                     char **argv);        /* methods | models | compressors | datasets | collectives | graphs [NAME] */
int rh_cmd_keys(int argc, char **argv);   /* keys [SECTION] */
int rh_cmd_replay(int argc, char **argv); /* replay RUN */
int rh_cmd_calibrate(int argc, char **argv); /* calibrate [STUDY...] -o FILE */
int rh_cmd_doctor(int argc, char **argv);    /* doctor */

/* Children of `run`, not for users. */
int rh_cmd_probe(int argc, char **argv);   /* _probe */
int rh_cmd_execute(int argc, char **argv); /* _execute TASK: one resolved run */
int rh_cmd_measure(int argc, char **argv); /* _measure TASK: times the steps of runs, prints a profile */

#endif

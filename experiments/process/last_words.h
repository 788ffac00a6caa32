/* What SimGrid said on stderr before it ended a process. */
#ifndef RH_LAST_WORDS_H
#define RH_LAST_WORDS_H

/* SimGrid's last words in what a process left on stderr: its critical sentence, or its warning. NULL if there is none.
 * Owned by the caller. */
char *rh_last_words(const char *said);

/* Cuts `text` at the end of its first line, and of what a reader needs: SimGrid lists all its settings after a wrong
 * one, and a history of its formats after an old file. */
void rh_last_words_cut(char *text);

#endif

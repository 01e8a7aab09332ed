#ifndef WEIR_DB_LETTERS_H
#define WEIR_DB_LETTERS_H

#include "db/db.h"

/* Dead letters: weir.dead_letters. The states are in the database. */
enum letter_state { LETTER_PARKED, LETTER_REDRIVEN, LETTER_RESOLVED, LETTER_DISCARDED };
#define LETTER_STATE_WORDS "parked redriven resolved discarded"

#endif

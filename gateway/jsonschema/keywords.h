#ifndef WEIR_JSONSCHEMA_KEYWORDS_H
#define WEIR_JSONSCHEMA_KEYWORDS_H

#include "gateway/jsonschema/jsonschema.h"
#include "gateway/jsonschema/tree.h"

/* Every keyword that means something in some draft, in the order of their names, as if letters had no case. */
enum keyword {
    K_ANCHOR, K_COMMENT, K_DEFS, K_DYNAMIC_ANCHOR, K_DYNAMIC_REF, K_ID, K_RECURSIVE_ANCHOR, K_RECURSIVE_REF, K_REF, K_SCHEMA,
    K_VOCABULARY, K_ADDITIONAL_ITEMS, K_ADDITIONAL_PROPERTIES, K_ALL_OF, K_ANY_OF, K_CONST, K_CONTAINS, K_DEFINITIONS,
    K_DEPENDENCIES, K_DEPENDENT_REQUIRED, K_DEPENDENT_SCHEMAS, K_DESCRIPTION, K_ELSE, K_ENUM, K_EXCLUSIVE_MAXIMUM,
    K_EXCLUSIVE_MINIMUM, K_FORMAT, K_OLD_ID, K_IF, K_ITEMS, K_MAX_CONTAINS, K_MAXIMUM, K_MAX_ITEMS, K_MAX_LENGTH,
    K_MAX_PROPERTIES, K_MIN_CONTAINS, K_MINIMUM, K_MIN_ITEMS, K_MIN_LENGTH, K_MIN_PROPERTIES,
    K_MULTIPLE_OF, K_NOT, K_ONE_OF, K_PATTERN,
    K_PATTERN_PROPERTIES, K_PREFIX_ITEMS, K_PROPERTIES, K_PROPERTY_NAMES, K_REQUIRED, K_THEN, K_TITLE, K_TYPE,
    K_UNEVALUATED_ITEMS, K_UNEVALUATED_PROPERTIES, K_UNIQUE_ITEMS, K_END
};

/* Sets of drafts and vocabularies, a bit each. */
enum {
    D4 = 1 << DRAFT_4, D6 = 1 << DRAFT_6, D7 = 1 << DRAFT_7, D19 = 1 << DRAFT_2019_09, D20 = 1 << DRAFT_2020_12,
    D_ALL = D4 | D6 | D7 | D19 | D20, D_FROM_6 = D_ALL & ~D4, D_FROM_7 = D7 | D19 | D20, D_FROM_19 = D19 | D20,
};
enum {
    V_CORE = 1, V_APPLICATOR = 2, V_UNEVALUATED = 4, V_VALIDATION = 8, V_FORMAT = 16, V_ASSERT_FORMAT = 32, V_OTHER = 64,
    V_ALL = 127 & ~V_ASSERT_FORMAT,
};

/* What a keyword takes. Those from TAKES_SCHEMA on hold subschemas. */
enum takes {
    TAKES_ANY, TAKES_STRING, TAKES_BOOL, TAKES_NUMBER, TAKES_BOUND, TAKES_DIVISOR, TAKES_COUNT, TAKES_REGEX, TAKES_TYPES,
    TAKES_ARRAY, TAKES_STRINGS, TAKES_STRINGS_MAP,
    TAKES_SCHEMA, TAKES_SCHEMA_OR_BOOL, TAKES_SCHEMAS, TAKES_SCHEMA_MAP, TAKES_REGEX_MAP, TAKES_ITEMS, TAKES_DEPENDENCIES,
};

struct keyword_row {
    const char *name;
    uint8_t drafts, vocabulary, takes;
};

extern const struct keyword_row keywords[K_END];

enum keyword keyword_find(struct slice name); /* K_END: none */
/* Is the value what the keyword takes? Its own shape alone, not that of subschemas. ERR_BAD_BODY with a sentence; what is wrong
 * is *ret_at. */
enum err keyword_check(enum keyword k, const struct node *value, enum draft draft, const struct node **ret_at, struct fault *f);
uint16_t type_mask(struct slice name, enum draft draft); /* of nodes; 0: there is no such type */

#endif

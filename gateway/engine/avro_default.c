#include "gateway/engine/avro_parse.h"

static bool in_range(struct slice number, const char *min, const char *max)
{
    struct decimal d = decimal_of(number);

    return decimal_whole(&d) && !memchr(number.p, '.', number.n) && decimal_order(number, slice_of(min)) >= 0 &&
           decimal_order(number, slice_of(max)) <= 0;
}

/* Bytes are written as the characters U+0000 to U+00FF. */
static bool bytes_fit(const struct json_node *v, struct slice size)
{
    char digits[24];
    struct buf b = { .p = digits, .cap = sizeof digits, .limit = sizeof digits };

    for (size_t i = 0; i < v->text.n; i++)
        if ((unsigned char)v->text.p[i] > 0xC3)
            return false;
    buf_i64(&b, (int64_t)json_tree_characters(v));
    return !size.p || decimal_order((struct slice){ digits, b.n }, size) == 0;
}

static bool array_fits(const struct avro_type *t, const struct json_node *v, const char **ret_why)
{
    for (unsigned i = 0; i < v->n; i++)
        if (!avro_default_fits(t->branch[0], v->child[i], ret_why))
            return false;
    return true;
}

static bool record_fits(const struct avro_type *t, const struct json_node *v, const char **ret_why)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct json_node *member = json_tree_member(v, t->field[i].name);

        if (!member && !t->field[i].value) {
            *ret_why = "a field of the record is missing and has no default of its own";
            return false;
        }
        if (member && !avro_default_fits(t->field[i].type, member, ret_why))
            return false;
    }
    return true;
}

bool avro_default_fits(const struct avro_type *t, const struct json_node *v, const char **ret_why)
{
    static const char *const why[] = {
        [AVRO_NULL] = "it is to be null",
        [AVRO_BOOLEAN] = "it is to be true or false",
        [AVRO_INT] = "it is to be an integer of 32 bits",
        [AVRO_LONG] = "it is to be an integer of 64 bits",
        [AVRO_FLOAT] = "it is to be a number",
        [AVRO_DOUBLE] = "it is to be a number",
        [AVRO_BYTES] = "it is to be a string of characters up to U+00FF",
        [AVRO_STRING] = "it is to be a string",
        [AVRO_RECORD] = "it is to be an object",
        [AVRO_ENUM] = "it is to be a symbol of the enum",
        [AVRO_FIXED] = "it is to be a string of as many characters, up to U+00FF, as the fixed has bytes",
        [AVRO_ARRAY] = "it is to be an array",
        [AVRO_MAP] = "it is to be an object",
        [AVRO_UNION] = "a union without branches has no value",
    };
    bool text = v->type == JSON_STRING, number = v->type == JSON_NUMBER;

    *ret_why = why[t->kind];
    switch (t->kind) {
    case AVRO_NULL:
        return v->type == JSON_NULL;
    case AVRO_BOOLEAN:
        return v->type == JSON_TRUE || v->type == JSON_FALSE;
    case AVRO_INT:
        return number && in_range(v->text, "-2147483648", "2147483647");
    case AVRO_LONG:
        return number && in_range(v->text, "-9223372036854775808", "9223372036854775807");
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return number;
    case AVRO_STRING:
        return text;
    case AVRO_BYTES:
    case AVRO_FIXED:
        return text && bytes_fit(v, t->size);
    case AVRO_ENUM:
        return text && avro_has_symbol(t, v->text);
    case AVRO_ARRAY:
        return v->type == JSON_ARRAY && array_fits(t, v, ret_why);
    case AVRO_MAP:
        return v->type == JSON_OBJECT && array_fits(t, v, ret_why);
    case AVRO_RECORD:
        return v->type == JSON_OBJECT && record_fits(t, v, ret_why);
    case AVRO_UNION:
        break;
    }
    return t->n && avro_default_fits(t->branch[0], v, ret_why);
}

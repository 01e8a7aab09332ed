#include "db/outbox.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/base/uuid.h"
#include "gateway/engine/event.h"
#include "gateway/engine/schemas.h"

/* Events of the stream _schemas: what was changed, so that the registry can be followed and made again elsewhere. */

static void put_raw(struct buf *b, const char *name, struct slice json)
{
    if (!json.p)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_slice(b, json);
}

/* As Confluent's has it: Avro goes without saying. */
void schema_row_members(struct buf *b, const struct schema_row *row)
{
    if (row->type != SCHEMA_AVRO)
        buf_printf(b, ",\"schemaType\":\"%s\"", schema_type_names[row->type]);
    if (!slice_is(row->refs, "[]"))
        put_raw(b, "references", row->refs);
    put_raw(b, "metadata", row->metadata);
    put_raw(b, "ruleSet", row->rule_set);
    buf_member_text(b, "schema", row->text);
}

enum err schemas_tell_data(struct db *db, const char *type, const char *source, struct slice subject, const struct buf *data,
                           struct fault *f)
{
    struct outbox_row row = { .stream = SLICE(SCHEMAS_STREAM), .type = slice_of(type), .source = slice_of(source),
                              .subject = subject, .data = { data->p, data->n } };
    char id[UUID_TEXT];

    if (data->failed)
        return ERR_NO_MEMORY;
    uuid7(clock_unix_us(), id);
    uuid_parse(slice_of(id), row.id);
    return db_outbox_add(db, &row, f);
}

enum err schemas_tell(struct db *db, struct arena *a, const char *type, const struct schema_subject *s, struct buf *rest,
                      struct fault *f)
{
    struct slice name = schema_subject_text(a, s);
    struct buf data = { 0 };
    enum err e;

    BUF_LIT(&data, "{\"subject\":");
    buf_json_string(&data, name);
    if (rest && rest->n)
        buf_put(&data, rest->p, rest->n);
    buf_char(&data, '}');
    e = !name.p || (rest && rest->failed) ? ERR_NO_MEMORY : schemas_tell_data(db, type, "/registry/subjects", name, &data, f);
    buf_free(&data);
    return e;
}

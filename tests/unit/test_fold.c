#include "tests/unit/fold_fixture.h"

static void set_makes_what_leads_to_its_path(void **state)
{
    (void)state;
    assert_folds("[{\"set\":{\"/a/b/c\":1}}]", NULL, NULL, "{\"a\":{\"b\":{\"c\":1}}}");
    assert_folds("[{\"set\":{\"/a\":{\"from\":\"/data/x\"},\"/b\":true}}]", "{\"x\":[1, {\"y\" : \" z \"}]}",
                 "{\"a\":0,\"c\":null}",
                 "{\"a\":[1,{\"y\":\" z \"}],\"c\":null,\"b\":true}");
    assert_folds("[{\"set\":{\"/a\":2}}]", NULL, "{\"x\":1.50,\"a\":1,\"y\":\"\\u0041\"}",
                 "{\"x\":1.50,\"a\":2,\"y\":\"\\u0041\"}");
    assert_folds("[{\"set\":{\"\":{\"from\":\"/data\"}}}]", "{\"n\":1}", "{\"a\":1}", "{\"n\":1}");
    assert_folds("[{\"set\":{\"/a/b\":1}}]", NULL, "{\"a\":null}", "{\"a\":{\"b\":1}}");
    assert_folds("[{\"set\":{\"/m~1n/o~0p\":1}}]", NULL, "{}", "{\"m/n\":{\"o~p\":1}}");
    assert_folds("[{\"set\":{\"/q\\\"\":1}}]", NULL, "{\"q\\u0022\":0}", "{\"q\\u0022\":1}");
}

static void items_of_arrays_are_reached_by_their_index(void **state)
{
    (void)state;
    assert_folds("[{\"set\":{\"/a/0\":9}}]", NULL, "{\"a\":[1,2]}", "{\"a\":[9,2]}");
    assert_folds("[{\"set\":{\"/a/2\":9}}]", NULL, "{\"a\":[1,2]}", "{\"a\":[1,2,9]}");
    assert_folds("[{\"set\":{\"/a/-/x\":9}}]", NULL, "{\"a\":[1,2]}", "{\"a\":[1,2,{\"x\":9}]}");
    assert_folds("[{\"set\":{\"/a/0\":9}}]", NULL, "{}", "{\"a\":{\"0\":9}}");
    assert_folds("[{\"increment\":{\"/a/1/n\":1}}]", NULL, "{\"a\":[1,{\"n\":2}]}", "{\"a\":[1,{\"n\":3}]}");
    assert_folds("[{\"remove\":\"/a/0\"},{\"remove\":\"/a/-\"},{\"remove\":\"/a/7\"}]", NULL, "{\"a\":[1,2]}", "{\"a\":[2]}");
    assert_refuses("[{\"set\":{\"/a/3\":9}}]", NULL, "{\"a\":[1,2]}", "without such an item");
    assert_refuses("[{\"set\":{\"/a/x\":9}}]", NULL, "{\"a\":[1,2]}", "without such an item");
}

static void merge_is_rfc_7396(void **state)
{
    (void)state;
    assert_folds("[{\"merge\":{\"\":{\"from\":\"/data\"}}}]", "{\"a\":null,\"b\":{\"c\":2,\"d\":null},\"e\":[null]}",
                 "{\"a\":1,\"b\":{\"c\":1,\"d\":1,\"f\":1}}", "{\"b\":{\"c\":2,\"f\":1},\"e\":[null]}");
    assert_folds("[{\"merge\":{\"/x/y\":{\"from\":\"/data\"}}}]", "{\"a\":null,\"b\":{\"d\":null}}", NULL,
                 "{\"x\":{\"y\":{\"b\":{}}}}");
    assert_folds("[{\"set\":{\"/x/n\":1}},{\"merge\":{\"/x\":{\"m\":2}}},{\"count\":\"/x/m\"}]", NULL, NULL,
                 "{\"x\":{\"n\":1,\"m\":3}}");
    assert_folds("[{\"merge\":{\"/x\":5}}]", NULL, "{\"x\":{}}", "{\"x\":5}");
    assert_refuses("[{\"merge\":{\"\":{\"from\":\"/data\"}}}]", "[1]", "{\"a\":1}", "A state is an object");
}

static void remove_of_nothing_does_nothing(void **state)
{
    (void)state;
    assert_folds("[{\"remove\":\"/a\"}]", NULL, "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}");
    assert_folds("[{\"remove\":\"/a/b\"},{\"remove\":\"/x/y\"},{\"remove\":\"/c/d\"}]", NULL, "{\"a\":{\"b\":1},\"c\":5}",
                 "{\"a\":{},\"c\":5}");
    assert_folds("[{\"remove\":\"/x\"}]", NULL, NULL, "{}");
}

static void sums_are_exact(void **state)
{
    (void)state;
    define("{\"E\":[{\"increment\":{\"/sum\":{\"from\":\"/data/n\"}}},{\"count\":\"/n\"}]}");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fold_one("\"E\",{\"n\":0.1}"), FOLD_DONE);
    assert_string_equal(state_text(), "{\"sum\":100.0,\"n\":1000}");
    assert_int_equal(folding.state->version, 1000);
    assert_folds("[{\"increment\":{\"/n\":1}}]", NULL, "{\"n\":9007199254740993}", "{\"n\":9007199254740994}");
    assert_folds("[{\"increment\":{\"/n\":-0.25}}]", NULL, "{\"n\":1e3}", "{\"n\":999.75}");
    assert_folds("[{\"increment\":{\"/n\":{\"from\":\"/data/x\",\"default\":5}}}]", "{}", "{\"n\":null}", "{\"n\":5}");
    assert_refuses("[{\"increment\":{\"/n\":1}}]", NULL, "{\"n\":\"1\"}", "/n is no number");
    assert_refuses("[{\"increment\":{\"/n\":1}}]", NULL, "{\"n\":{\"x\":1}}", "/n is no number");
    assert_refuses("[{\"increment\":{\"/n\":{\"from\":\"/data\"}}}]", "\"1\"", "{}", "incremented by is no number");
    assert_refuses("[{\"increment\":{\"/n\":{\"from\":\"/data\"}}}]", "1e1000", "{}", "1000 digits");
    assert_refuses("[{\"count\":\"/a/b\"}]", NULL, "{\"a\":1}", "on the way to /a/b");
}

static void min_and_max_compare_like_with_like(void **state)
{
    (void)state;
    assert_folds("[{\"min\":{\"/n\":{\"from\":\"/data\"}}}]", "10", "{\"n\":9.5}", "{\"n\":9.5}");
    assert_folds("[{\"max\":{\"/n\":{\"from\":\"/data\"}}}]", "10", "{\"n\":9.5}", "{\"n\":10}");
    assert_folds("[{\"max\":{\"/n\":{\"from\":\"/data\"}}}]", "\"b\"", NULL, "{\"n\":\"b\"}");
    assert_folds("[{\"max\":{\"/n\":{\"from\":\"/data\"}}}]", "\"\\u00e9\"", "{\"n\":\"z\"}", "{\"n\":\"\\u00e9\"}");
    assert_folds("[{\"min\":{\"/n\":{\"from\":\"/data\"}}}]", "12345678901234567890123", "{\"n\":12345678901234567890124}",
                 "{\"n\":12345678901234567890123}");
    assert_refuses("[{\"min\":{\"/n\":1}}]", NULL, "{\"n\":\"1\"}", "no number");
    assert_refuses("[{\"min\":{\"/n\":\"1\"}}]", NULL, "{\"n\":1}", "no string");
    assert_refuses("[{\"min\":{\"/n\":{\"from\":\"/data\"}}}]", "null", "{\"n\":1}", "neither a number nor a string");
    /* of equal ones the shorter stays, whichever came first */
    assert_folds("[{\"min\":{\"/n\":{\"from\":\"/data\"}}}]", "1", "{\"n\":1.0}", "{\"n\":1}");
    assert_folds("[{\"max\":{\"/n\":{\"from\":\"/data\"}}}]", "1.0", "{\"n\":1}", "{\"n\":1}");
}

static void append_keeps_the_newest(void **state)
{
    (void)state;
    define("{\"E\":[{\"append\":{\"/last\":{\"from\":\"/data\"},\"cap\":3}}]}");
    for (int i = 0; i < 100; i++) {
        char event[32];

        snprintf(event, sizeof event, "\"E\",%d", i);
        assert_int_equal(fold_one(event), FOLD_DONE);
    }
    assert_string_equal(state_text(), "{\"last\":[97,98,99]}");
    assert_folds("[{\"append\":{\"/a\":1,\"cap\":2}}]", NULL, "{\"a\":[7,8,9]}", "{\"a\":[9,1]}");
    assert_folds("[{\"append\":{\"/a\":1}},{\"append\":{\"/a\":2}}]", NULL, "{\"a\":null}", "{\"a\":[1,2]}");
    assert_refuses("[{\"append\":{\"/a\":1}}]", NULL, "{\"a\":{}}", "no array");
}

static void delete_ends_the_event_and_the_state(void **state)
{
    (void)state;
    define_with("\"key\":\"subject\",\"initial\":{\"n\":5},\"on\":{\"E\":[{\"count\":\"/n\"},{\"delete\":true,"
                "\"if\":{\"/data\":1}},"
                "{\"count\":\"/n\"}]}");
    assert_int_equal(fold_one("\"E\",0"), FOLD_DONE);
    assert_string_equal(state_text(), "{\"n\":7}");
    assert_int_equal(fold_one("\"E\",1.0"), FOLD_DONE);
    assert_string_equal(state_text(), "-");
    assert_int_equal(folding.state->version, 0);
    assert_true(folding.state->changed);
    assert_int_equal(fold_one("\"E\",0"), FOLD_DONE);
    assert_string_equal(state_text(), "{\"n\":7}");
    assert_int_equal(folding.state->version, 1);
    define("{\"E\":[{\"delete\":true}]}");
    assert_int_equal(fold_one("\"E\""), FOLD_DONE);
    assert_false(folding.state->changed);
}

static void all_operations_of_all_entries_that_match_apply_in_order(void **state)
{
    (void)state;
    define("{\"Order*\":[{\"set\":{\"/x\":1}}],\"OrderPlaced\":[{\"increment\":{\"/x\":10}}],\"*\":[{\"count\":\"/all\"}]}");
    assert_int_equal(fold_one("\"OrderPlaced\""), FOLD_DONE);
    assert_string_equal(state_text(), "{\"x\":11,\"all\":1}");
    assert_int_equal(fold_one("\"Other\""), FOLD_DONE);
    assert_string_equal(state_text(), "{\"x\":11,\"all\":2}");
    define("{\"Order*\":[{\"count\":\"/n\"}]}");
    assert_int_equal(fold_one("\"Other\""), FOLD_PASSED);
    assert_true(fold_wants(folding.def.fold, SLICE("Order")) && !fold_wants(folding.def.fold, SLICE("order")));
}

static void an_event_is_folded_whole_or_not_at_all(void **state)
{
    static const char *const before = "{\"a\":{\"b\":[1,2,3],\"c\":\"x\"},\"d\":1,\"e\":{\"f\":2}}";

    (void)state;
    assert_refuses("[{\"set\":{\"/a/z\":1}},{\"remove\":\"/a/c\"},{\"append\":{\"/a/b\":4,\"cap\":2}},{\"remove\":\"/a/b/0\"},"
                   "{\"increment\":{\"/d\":1,\"/new/x\":1}},{\"remove\":\"/e\"},{\"set\":{\"/e/f/g\":1}},"
                   "{\"merge\":{\"/a\":{\"b\":null}}},"
                   "{\"set\":{\"\":{\"q\":1}}},{\"count\":\"/q/r\"}]",
                   NULL, before, "/q/r");
    assert_string_equal(folding.fault.pointer, "/on/E/9");
    assert_refuses("[{\"set\":{\"/a\":1}},{\"set\":{\"/b\":{\"from\":\"/data/gone\"}}}]", "{}", NULL, "nothing at /data/gone");
    define("{\"E\":[{\"append\":{\"/a\":1,\"cap\":4}},{\"set\":{\"/b\":{\"from\":\"/data/b\"}}}]}");
    for (int i = 0; i < 200; i++) {
        assert_int_equal(fold_one("\"E\",{\"b\":1}"), FOLD_DONE);
        assert_int_equal(fold_one("\"E\",{}"), FOLD_REFUSED);
    }
    assert_string_equal(state_text(), "{\"a\":[1,1,1,1],\"b\":1}");
    assert_int_equal(folding.state->version, 200);
}

static void conditions_compare_by_value_and_nothing_equals_nothing(void **state)
{
    (void)state;
    define("{\"E\":[{\"count\":\"/n\",\"if\":{\"/data/a\":1.0,\"/data/b\":[{\"x\":null}]}}]}");
    assert_int_equal(fold_one("\"E\",{\"a\":1e0,\"b\":[{\"x\" : null}]}"), FOLD_DONE);
    assert_int_equal(fold_one("\"E\",{\"a\":1,\"b\":[]}"), FOLD_PASSED);
    assert_int_equal(fold_one("\"E\",{\"a\":1}"), FOLD_PASSED);
    assert_int_equal(fold_one("\"E\""), FOLD_PASSED);
    define("{\"E\":[{\"count\":\"/n\",\"if\":{\"/data\":null}}]}");
    assert_int_equal(fold_one("\"E\""), FOLD_PASSED);
    assert_int_equal(fold_one("\"E\",null"), FOLD_DONE);
    assert_int_equal(fold_one("{\"type\":\"E\",\"data\":null}"), FOLD_REFUSED); /* no subject */
    assert_int_equal(fold_one("{\"type\":\"E\",\"data\":1}"), FOLD_PASSED);     /* and none is needed */
}

static void values_are_made_of_places_in_the_event(void **state)
{
    (void)state;
    assert_folds("[{\"append\":{\"/a\":{\"at\":{\"from\":\"/time\"},\"of\":[{\"from\":\"/data/x\","
                 "\"default\":{\"k\":[]}},true]}}}]", "{}",
                 "{\"a\":[]}", "{\"a\":[{\"at\":\"2026-01-31T23:59:59.000001Z\",\"of\":[{\"k\":[]},true]}]}");
    assert_refuses("[{\"set\":{\"/a\":{\"x\":1,\"y\":{\"from\":\"/data/x\"}}}}]", "{}", "{}", "/data/x");
}

static void pointers_lead_into_the_event_as_json_shows_it(void **state)
{
    static const char *const rows[][2] = {
        { "/specversion", "\"1.0\"" }, { "/id", "\"i\\\"\\\\é\"" }, { "/source", "\"/v1/streams/orders\"" }, { "/type",
          "\"E\"" },
        { "/subject", "\"s/é\"" }, { "/stream", "\"orders\"" }, { "/partition", "3" }, { "/offset", "\"42\"" },
        { "/recordedtime", "\"2026-01-31T23:59:59.000001Z\"" }, { "/version", "7" }, { "/partitionkey", "\"pk\"" },
          { "/ext", "true" },
        { "/num", "5" }, { "/datacontenttype", "\"application/json\"" }, { "/data/a~1b/1/c", "2" }, { "/data",
          "{\"a/b\":[0,{\"c\":2}]}" },
    };
    char operations[200], want[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(operations, sizeof operations, "{\"E\":[{\"set\":{\"/x\":{\"from\":\"%s\"}}}]}", rows[i][0]);
        snprintf(want, sizeof want, "{\"x\":%s}", rows[i][1]);
        define(operations);
        assert_int_equal(fold_one("{\"id\":\"i\\\"\\\\é\",\"type\":\"E\",\"subject\":\"s/é\",\"partitionkey\":\"pk\","
                         "\"ext\":true,"
                                  "\"num\":5,\"datacontenttype\":\"application/json\",\"data\":{\"a/b\":1,\"a/b\":[0,"
                                  "{\"c\":2}]}}"),
                         FOLD_DONE);
        if (i + 1 < sizeof rows / sizeof *rows)
            assert_string_equal(state_text(), want);
    }
    assert_string_equal(state_text(), "{\"x\":{\"a/b\":1,\"a/b\":[0,{\"c\":2}]}}"); /* as it was sent */
    define("{\"E\":[{\"set\":{\"/t\":{\"from\":\"/data\",\"default\":0},\"/b\":{\"from\":\"/data_base64\",\"default\":0}}}]}");
    assert_int_equal(fold_one("{\"type\":\"E\",\"subject\":\"s\",\"datacontenttype\":\"text/plain\","
                     "\"data\":\"a\\n\"}"), FOLD_DONE);
    assert_string_equal(state_text(), "{\"t\":\"a\\n\",\"b\":0}");
    assert_int_equal(fold_one("{\"type\":\"E\",\"subject\":\"s\",\"datacontenttype\":\"image/x\","
                     "\"data_base64\":\"AAE=\"}"), FOLD_DONE);
    assert_string_equal(state_text(), "{\"t\":0,\"b\":\"AAE=\"}");
}

static void assert_key(const char *data, const char *want)
{
    struct buf b = { 0 };
    enum fold_result r;

    define_with("\"key\":\"/data/k\",\"on\":{\"E\":[{\"count\":\"/n\"}]}");
    buf_printf(&b, "\"E\",{\"k\":%s}", data);
    buf_char(&b, '\0');
    r = fold_one(b.p);
    buf_free(&b);
    if (!want ? r != FOLD_REFUSED : r || !slice_is(folding.event.key, want))
        fail_msg("%s: %d, %.*s", data, (int)r, (int)folding.event.key.n, folding.event.key.p);
    assert_string_equal(folding.fault.pointer, want ? "" : "/key");
}

static void a_key_is_a_string_or_the_text_of_a_scalar(void **state)
{
    char longest[FOLD_KEY_MAX + 4] = "\"", key[FOLD_KEY_MAX + 1] = "";

    (void)state;
    assert_key("\"a\\u0041\"", "aA");
    assert_key("12345678901234567890", "12345678901234567890");
    assert_key("1.0", "1.0");
    assert_key("true", "true");
    assert_key("null", NULL);
    assert_key("{}", NULL);
    assert_key("[1]", NULL);
    assert_key("\"\"", NULL);
    assert_key("\"a\\u0000\"", NULL);
    memset(longest + 1, 'k', FOLD_KEY_MAX);
    longest[FOLD_KEY_MAX + 1] = '"';
    define_with("\"key\":\"/data\",\"on\":{\"E\":[{\"count\":\"/n\"}]}");
    assert_int_equal(fold_one("\"E\""), FOLD_REFUSED);
    assert_key(longest, memcpy(key, longest + 1, FOLD_KEY_MAX));
    strcpy(longest + FOLD_KEY_MAX + 1, "k\"");
    assert_key(longest, NULL);
}

static void a_state_is_bounded_to_the_byte(void **state)
{
    (void)state;
    folding.max_bytes = 20;
    define("{\"E\":[{\"set\":{\"/a\":{\"from\":\"/data\"}}}]}");
    assert_int_equal(fold_one("\"E\",\"12345678901\""), FOLD_DONE);
    assert_int_equal(strlen(state_text()), 19);
    assert_int_equal(fold_one("\"E\",[1,2,3,4,5, 11]"), FOLD_DONE);
    assert_int_equal(fold_one("\"E\",[1,2,3,4,5, 111]"), FOLD_REFUSED);
    assert_non_null(strstr(folding.fault.detail, "21 bytes, more than the 20"));
    assert_string_equal(state_text(), "{\"a\":[1,2,3,4,5,11]}");
    folding.max_bytes = 0;
}

static void a_deep_or_wide_state_costs_no_more_than_its_length(void **state)
{
    enum { WIDE = 20000, DEEP = 250 };
    struct buf b = { 0 };

    (void)state;
    buf_char(&b, '{');
    for (int i = 0; i < WIDE; i++)
        buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
    BUF_LIT(&b, ",\"d\":");
    for (int i = 0; i < DEEP; i++)
        BUF_LIT(&b, "[{\"x\":");
    BUF_LIT(&b, "1");
    for (int i = 0; i < DEEP; i++)
        BUF_LIT(&b, "}]");
    buf_char(&b, '}');
    buf_char(&b, '\0');
    define("{\"E\":[{\"count\":\"/k0\"},{\"count\":\"/d/0/x/0/n\"},{\"merge\":{\"/d/0\":{\"y\":1}}}]}");
    begin_with(b.p);
    for (int i = 0; i < 100; i++)
        assert_int_equal(fold_one("\"E\""), FOLD_DONE);
    assert_memory_equal(state_text(), "{\"k0\":100,\"k1\":1,", 17);
    buf_free(&b);
}

static void assert_commutes(const char *on, bool want)
{
    define(on);
    if (fold_commutes(folding.def.fold) != want)
        fail_msg("%s", on);
}

static void what_does_not_mind_the_order_is_known(void **state)
{
    (void)state;
    assert_commutes("{\"A\":[{\"count\":\"/n\"},{\"increment\":{\"/n\":{\"from\":\"/data\"},\"/m\":1}}],"
                    "\"*\":[{\"min\":{\"/x/y\":1}},"
                    "{\"max\":{\"/x/z\":\"a\"}},{\"set\":{\"/seen\":true},\"if\":{\"/data\":1}}]}", true);
    assert_commutes("{\"A\":[{\"set\":{\"/n\":{\"from\":\"/data\"}}}]}", false);
    assert_commutes("{\"A\":[{\"set\":{\"/n\":1}}],\"B\":[{\"set\":{\"/n\":2}}]}", false);
    assert_commutes("{\"A\":[{\"count\":\"/n\"},{\"max\":{\"/n\":1}}]}", false);
    assert_commutes("{\"A\":[{\"count\":\"/n\"},{\"max\":{\"/n/x\":1}}]}", false);
    assert_commutes("{\"A\":[{\"set\":{\"/n\":1}},{\"count\":\"/n/x\"}]}", false);
    assert_commutes("{\"A\":[{\"count\":\"/n\"},{\"delete\":true}]}", false);
    assert_commutes("{\"A\":[{\"append\":{\"/n\":1}}]}", false);
    assert_commutes("{\"A\":[{\"remove\":\"/n\"}]}", false);
    assert_commutes("{\"A\":[{\"merge\":{\"/n\":{\"a\":1}}}]}", false);
    assert_commutes("{\"A\":[{\"set\":{\"/a/-\":1}}]}", false);
}

static bool finds(const char *text, const char *where)
{
    int64_t have[FOLD_INDEXES_MAX];
    struct fold_where w;
    bool failed, match, hit = false;
    size_t n;

    assert_true(fold_lookup(folding.def.fold, folding.arena, slice_of(text), have, &n));
    assert_int_equal(fold_where_parse(folding.def.fold, folding.arena, slice_of(where), &w, &folding.fault), OK);
    match = fold_where_match(&w, folding.arena, slice_of(text), &failed);
    assert_false(failed);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < w.hash_n; k++)
            hit = hit || have[i] == w.hash[k];
    if (w.indexed && hit != match)
        fail_msg("%s in %s: %d by its hash, %d by its value", where, text, hit, match);
    return match;
}

static void states_are_found_by_their_values(void **state)
{
    (void)state;
    define_with("\"key\":\"subject\",\"on\":{\"E\":[{\"count\":\"/n\"}]},\"indexes\":[\"/s\",\"/n/m\",\"/a=b\"]");
    assert_true(finds("{\"s\":\"open\"}", "/s=open"));
    assert_true(finds("{\"s\":\"\\u006fpen\"}", "/s=open"));
    assert_true(finds("{\"s\":\"open\"}", "/s=\"o\\u0070en\""));
    assert_false(finds("{\"s\":\"open\"}", "/s=opened"));
    assert_true(finds("{\"s\":5}", "/s=5.0") && finds("{\"s\":50e-1}", "/s=5") && finds("{\"s\":\"5\"}", "/s=5"));
    assert_false(finds("{\"s\":5}", "/s=\"5\""));
    assert_true(finds("{\"s\":-0.0}", "/s=0") && finds("{\"s\":1e99999999999999999999}", "/s=1e99999999999999999999"));
    assert_true(finds("{\"s\":true}", "/s=true") && finds("{\"s\":\"true\"}", "/s=true") && finds("{\"s\":null}", "/s=null"));
    assert_false(finds("{\"s\":false}", "/s=true") || finds("{}", "/s=null"));
    assert_true(finds("{\"s\":\"\"}", "/s=") && finds("{\"s\":\"a=b\"}", "/s=a=b"));
    assert_true(finds("{\"n\":{\"m\":1}}", "/n/m=1") && !finds("{\"m\":1}", "/n/m=1"));
    assert_true(finds("{\"a=b\":\"c=d\"}", "/a=b=c=d"));
    assert_true(finds("{\"x\":[1,{\"y\":2}]}", "/x=[1, {\"y\":2.0}]") && finds("{\"x\":[1,{\"y\":2}]}", "/x/1/y=2"));
    assert_true(finds("{\"s\":1,\"s\":2}", "/s=2") && !finds("{\"s\":1,\"s\":2}", "/s=1"));
    struct fold_where w;
    assert_int_equal(fold_where_parse(folding.def.fold, folding.arena, SLICE("/s"), &w, &folding.fault), ERR_BAD_PARAMETER);
    assert_int_equal(fold_where_parse(folding.def.fold, folding.arena, SLICE("s=1"), &w, &folding.fault), ERR_BAD_PARAMETER);
    assert_int_equal(fold_where_parse(folding.def.fold, folding.arena, SLICE(""), &w, &folding.fault), ERR_BAD_PARAMETER);
}

/* They are in the database. */
static void hashes_are_the_same_in_every_release(void **state)
{
    int64_t have[FOLD_INDEXES_MAX];
    size_t n;

    (void)state;
    define_with("\"key\":\"subject\",\"on\":{\"E\":[{\"count\":\"/n\"}]},\"indexes\":[\"/s\",\"/n\",\"/w\"]");
    assert_true(fold_lookup(folding.def.fold, folding.arena, SLICE("{\"s\":\"open\",\"n\":-1.50,\"w\":true}"), have, &n));
    assert_int_equal(n, 3);
    assert_true(have[0] == -1626197206715606891 && have[1] == 2419214565160097406 && have[2] == -392496236162468675);
}

static void memory_that_runs_out_leaves_the_state_as_it_was(void **state)
{
    (void)state;
    for (size_t room = 0; room < 6000; room += 7) {
        struct arena *a = arena_new(room);
        struct fold_state *s;
        struct fold_event e;
        struct slice text;

        define("{\"E\":[{\"set\":{\"/a/b/c\":{\"x\":{\"from\":\"/data\"}}}},{\"append\":{\"/l\":1,\"cap\":2}},"
               "{\"merge\":{\"/a\":{\"q\":1}}},"
               "{\"remove\":\"/z\"},{\"increment\":{\"/n\":0.1}}]}");
        fold_one("\"E\",[1, 2]");
        s = fold_open(folding.def.fold, a, SLICE("{\"l\":[1,2,3],\"z\":1,\"n\":1}"), 1, 1000);
        if (s && !fold_read(folding.def.fold, SLICE("orders"), folding.event.event, a, &e, NULL) && fold_apply(s, &e, NULL)) {
            assert_int_equal(s->version, 1);
            assert_false(s->changed);
            if (fold_text(s, &text))
                assert_true(slice_is(text, "{\"l\":[1,2,3],\"z\":1,\"n\":1}"));
        }
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_makes_what_leads_to_its_path),
        cmocka_unit_test(items_of_arrays_are_reached_by_their_index),
        cmocka_unit_test(merge_is_rfc_7396),
        cmocka_unit_test(remove_of_nothing_does_nothing),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(min_and_max_compare_like_with_like),
        cmocka_unit_test(append_keeps_the_newest),
        cmocka_unit_test(delete_ends_the_event_and_the_state),
        cmocka_unit_test(all_operations_of_all_entries_that_match_apply_in_order),
        cmocka_unit_test(an_event_is_folded_whole_or_not_at_all),
        cmocka_unit_test(conditions_compare_by_value_and_nothing_equals_nothing),
        cmocka_unit_test(values_are_made_of_places_in_the_event),
        cmocka_unit_test(pointers_lead_into_the_event_as_json_shows_it),
        cmocka_unit_test(a_key_is_a_string_or_the_text_of_a_scalar),
        cmocka_unit_test(a_state_is_bounded_to_the_byte),
        cmocka_unit_test(a_deep_or_wide_state_costs_no_more_than_its_length),
        cmocka_unit_test(what_does_not_mind_the_order_is_known),
        cmocka_unit_test(states_are_found_by_their_values),
        cmocka_unit_test(hashes_are_the_same_in_every_release),
        cmocka_unit_test(memory_that_runs_out_leaves_the_state_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, folding_free);
}

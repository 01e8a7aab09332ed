#include "tests/unit/commit_fixture.h"

/* lot_decide against a model that does one request after the other on a copy of everything. */
enum { IDS = 8, SUBJECTS = 5, PARTS = 3 };

struct model {
    int64_t head[PARTS];
    struct {
        bool known;
        char content;
        int32_t partition;
        int64_t offset, version;
    } id[IDS];
    struct {
        int32_t partition;
        int64_t version, last;
    } subject[SUBJECTS];
};

static const char *const ids[IDS] = { "i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7" };
static const char *const subjects[SUBJECTS] = { "s0", "s1", "s2", "s3", "s4" };

static enum err model_event(struct model *m, const struct publish *p, struct event *ev, bool *first)
{
    int i = ev->client_id ? ev->id.p[1] - '0' : -1, s = ev->subject.p ? ev->subject.p[1] - '0' : -1;
    int64_t version = 0;

    if (i >= 0 && m->id[i].known) {
        if (m->id[i].content != ev->data.p[0])
            return ERR_ID_REUSED;
        ev->duplicate = true;
        ev->partition = m->id[i].partition;
        ev->offset = m->id[i].offset;
        ev->version = m->id[i].version;
        return OK;
    }
    if (s >= 0) {
        if (m->subject[s].version && m->subject[s].partition != ev->partition)
            return ERR_SUBJECT_MOVED;
        if ((*first && p->if_version >= 0 && p->if_version != m->subject[s].version) ||
            (ev->expected_version >= 0 && ev->expected_version != m->subject[s].version))
            return ERR_VERSION_CONFLICT;
        version = ++m->subject[s].version;
        m->subject[s].partition = ev->partition;
        m->subject[s].last = m->head[ev->partition] + 1;
    }
    *first = false;
    ev->duplicate = false;
    ev->version = version;
    ev->offset = ++m->head[ev->partition];
    if (i >= 0) {
        m->id[i].known = true;
        m->id[i].content = ev->data.p[0];
        m->id[i].partition = ev->partition;
        m->id[i].offset = ev->offset;
        m->id[i].version = version;
    }
    return OK;
}

static enum err model_request(struct model *m, const struct publish *p, struct event *events)
{
    struct model before = *m;
    bool first = true;

    for (size_t k = 0; k < p->events.n; k++) {
        enum err e = model_event(m, p, &events[k], &first);

        if (e) {
            *m = before;
            return e;
        }
    }
    return OK;
}

static unsigned seed;

static int pick(int n)
{
    seed = seed * 1103515245 + 12345;
    return (int)(seed >> 16) % n;
}

static void random_batch(void)
{
    int requests = 1 + pick(12);

    for (int r = 0; r < requests; r++) {
        int n = 1 + pick(4), s = pick(SUBJECTS);

        request(pick(4) ? -1 : pick(4));
        for (int k = 0; k < n; k++) { /* a subject's usual partition, seldom another */
            bool has_subject = w.pub[r].if_version >= 0 || pick(3);

            s = w.pub[r].if_version >= 0 ? s : pick(SUBJECTS);
            add(pick(3) ? ids[pick(IDS)] : NULL, pick(8) ? "x" : "y", has_subject ? subjects[s] : NULL,
                has_subject && !pick(3) ? pick(4) : -1, pick(12) ? s % PARTS : pick(PARTS));
        }
    }
}

/* What the model holds, where the batch asks for it. */
static void look(const struct model *m)
{
    looked(0);
    for (size_t i = 0; i < w.g->part_n; i++)
        w.g->part[i].head = m->head[w.g->part[i].partition];
    for (int i = 0; i < IDS; i++) {
        uint8_t key[16] = { (uint8_t)ids[i][0], (uint8_t)ids[i][1] };

        if (m->id[i].known && lot_id(w.g, key))
            stored_id(ids[i], m->id[i].content == 'x' ? "x" : "y", m->id[i].partition, m->id[i].offset, m->id[i].version);
    }
    for (int s = 0; s < SUBJECTS; s++)
        if (m->subject[s].version && lot_subject(w.g, slice_of(subjects[s])))
            stored_subject(subjects[s], m->subject[s].partition, m->subject[s].version)->last_offset = m->subject[s].last;
}

static void assert_as_the_model(const struct model *m)
{
    for (size_t i = 0; i < w.g->part_n; i++)
        assert_int_equal(w.g->part[i].head + w.g->part[i].n, m->head[w.g->part[i].partition]);
    for (size_t i = 0; i < w.g->id_n; i++) {
        int id = w.g->ids[i].key[1] - '0';

        assert_int_equal(w.g->ids[i].known, m->id[id].known);
        if (m->id[id].known) {
            assert_int_equal(w.g->ids[i].fingerprint[0], m->id[id].content);
            assert_int_equal(w.g->ids[i].offset, m->id[id].offset);
            assert_int_equal(w.g->ids[i].version, m->id[id].version);
        }
    }
    for (size_t i = 0; i < w.g->subject_n; i++) {
        const struct slot_subject *s = &w.g->subjects[i];

        assert_int_equal(s->version, m->subject[s->subject.p[1] - '0'].version);
        if (s->version != s->stored_version) {
            assert_int_equal(s->partition, m->subject[s->subject.p[1] - '0'].partition);
            assert_int_equal(s->last_offset, m->subject[s->subject.p[1] - '0'].last);
        }
    }
}

static void every_batch_is_decided_as_one_request_after_the_other(void **state)
{
    static struct event wanted[BATCH_MAX][BATCH_MAX];
    static const enum err kinds[] = { OK, ERR_ID_REUSED, ERR_SUBJECT_MOVED, ERR_VERSION_CONFLICT };
    size_t seen[ERR_END] = { 0 };

    (void)state;
    for (unsigned run = 0; run < 400; run++) {
        struct model m = { .head = { 0 } };

        seed = run * 7919 + 1;
        for (int batch = 0; batch < 4; batch++) {
            world_begin(PARTS);
            random_batch();
            look(&m);
            memcpy(wanted, w.events, sizeof wanted);
            lot_decide(w.g, NOW);
            for (size_t r = 0; r < w.batch.n; r++) {
                enum err e = model_request(&m, &w.pub[r], wanted[r]);

                if (w.pub[r].err != e)
                    fail_msg("run %u, batch %d, request %zu: %d, not %d", run, batch, r, (int)w.pub[r].err, (int)e);
                seen[e]++;
                for (size_t k = 0; !e && k < w.pub[r].events.n; k++) {
                    assert_int_equal(w.events[r][k].duplicate, wanted[r][k].duplicate);
                    assert_int_equal(w.events[r][k].partition, wanted[r][k].partition);
                    assert_int_equal(w.events[r][k].offset, wanted[r][k].offset);
                    assert_int_equal(w.events[r][k].version, wanted[r][k].version);
                }
            }
            assert_as_the_model(&m);
            assert_no_gap();
            world_end(NULL);
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (seen[kinds[i]] < 300)
            fail_msg("outcome %d came %zu times", (int)kinds[i], seen[kinds[i]]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_is_decided_as_one_request_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

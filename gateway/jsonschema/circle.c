#include "gateway/jsonschema/compile.h"

/* Where a walk over the calls of one block stands. */
struct cursor {
    const struct block *block;
    const struct op *op;
    uint32_t branch;
    int class;
};

enum color { NEW, OPEN, DONE };

static const struct block *branch_of(const struct op *op, uint32_t i)
{
    const struct block *const of_choice[] = { op->u.choice->condition, op->u.choice->then, op->u.choice->otherwise };

    return i < 3 ? of_choice[i] : NULL;
}

/* The next block that is called with the same value; NULL: no more. */
static const struct block *next_call(struct cursor *w)
{
    for (; w->class < CLASSES; w->class ++, w->op = NULL) {
        if (!w->op)
            w->op = w->block->ops[w->class];
        for (; w->op->code != OP_END; w->op++, w->branch = 0) {
            const struct op *op = w->op;
            uint32_t i = w->branch++;

            if ((op->code == OP_ANY_OF || op->code == OP_ONE_OF) && i < op->u.branches->n)
                return op->u.branches->list[i];
            if ((op->code == OP_CALL || op->code == OP_NOT) && i == 0)
                return op->u.block;
            if (op->code == OP_DYNAMIC && op->u.dynamic->n < 2 && i == 0) /* it can lead to this place alone */
                return op->u.dynamic->otherwise;
            if (op->code == OP_DEPENDENT && op->u.dependent->block && i == 0)
                return op->u.dependent->block;
            while (op->code == OP_IF && i < 3) {
                const struct block *b = branch_of(op, i);

                if (b)
                    return b;
                i = w->branch++;
            }
        }
    }
    return NULL;
}

enum err circles_check(struct compiler *c)
{
    uint8_t *colors = arena_zalloc(c->temp, c->blocks);
    struct cursor *stack = arena_alloc(c->temp, c->blocks * sizeof *stack);

    if (!colors || !stack)
        return ERR_NO_MEMORY;
    for (struct site *s = c->first; s; s = s->next_work) {
        uint32_t depth = 0;

        if (colors[s->block->number] != NEW)
            continue;
        stack[depth++] = (struct cursor){ .block = s->block };
        colors[s->block->number] = OPEN;
        while (depth) {
            const struct block *b = next_call(&stack[depth - 1]);

            if (!b) {
                colors[stack[--depth].block->number] = DONE;
            } else if (colors[b->number] == OPEN) {
                return refuse(c, b->document, b->at,
                              "This schema leads back to itself without going into the value: it would never end.");
            } else if (colors[b->number] == NEW) {
                colors[b->number] = OPEN;
                stack[depth++] = (struct cursor){ .block = b };
            }
        }
    }
    return OK;
}

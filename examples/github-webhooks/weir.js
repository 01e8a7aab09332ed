// Where Weir is, and one call to it.
const { WEIR_URL = 'http://127.0.0.1:8080', WEIR_TOKEN, WEIR_STREAM = 'github' } = process.env;

export const stream = `/v1/streams/${WEIR_STREAM}`;

// Publishing is safe to repeat (ids deduplicate), so a refusal that says when to come back is not an error.
export async function call(method, path, { headers, body, signal, patience = 10 } = {}) {
    for (;; patience--) {
        const answer = await fetch(WEIR_URL + path, {
            method, body, signal, headers: { authorization: `Bearer ${WEIR_TOKEN}`, ...headers },
        });
        if (answer.ok)
            return answer;
        const text = await answer.text();
        if (![429, 503].includes(answer.status) || patience === 0)
            throw new Error(`${method} ${path}: ${answer.status} ${text}`);
        await new Promise(resolve => setTimeout(resolve, 1000 * Number(answer.headers.get('retry-after') ?? 1)));
    }
}

/* work(item) for every item, so many at a time: pages of many rows make few calls at once. The answers in the items' order. */
export async function inTurns(items, atOnce, work) {
    const answers = new Array(items.length);
    let next = 0;
    const worker = async () => {
        while (next < items.length) {
            const i = next++;

            answers[i] = await work(items[i]);
        }
    };

    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
    return answers;
}

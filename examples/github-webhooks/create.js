// Several partitions: order is kept within a repository (its subject), not between them.
import { call, stream } from './weir.js';

await call('PUT', stream, {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ partitions: 4, description: 'GitHub webhooks' }),
});

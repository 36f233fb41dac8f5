// Run by store-crash.test.ts: accepts documents as fast as it can and says each version only after `accept` returned.
import { writeSync } from 'node:fs';
import { openStore } from '../../src/store/store.ts';

const store = openStore(process.argv[2] ?? '', { warn: () => undefined });
const first = (store.documents.current()?.version ?? 0) + 1;
for (let version = first; ; version += 1) {
  store.documents.accept({ version, hash: `h${version}`, body: 'x'.repeat(20_000), source: 'mqtt' });
  if (version % 3 === 0) store.documents.markApplied(version);
  writeSync(1, `${version}\n`);
}

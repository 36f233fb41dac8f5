// Asks for the wireless interfaces, and again when the process may open no more descriptors; tells what became of both.
import { openSync } from 'node:fs';
import { readWireless } from '../../src/host/wireless.ts';

const told = (): Promise<string> =>
  readWireless().then(
    ({ size }) => `found ${size}`,
    (error: unknown) => String(error),
  );

const before = await told();
try {
  for (;;) openSync('/dev/null', 'r');
} catch {
  const after = await told();
  process.stdout.write(JSON.stringify([before, after]), () => process.exit());
}

import type { Verb } from './verb.ts';

const text = { type: 'string' } as const;

export const IMAGE_VERBS: readonly Verb[] = [
  {
    name: 'fleet image',
    usage: 'IMAGE -f linkspan.yaml [--keys DIR] [--network DIR] -o OUT',
    summary: "put a gateway's file and keys into an image to flash",
    arity: [1, 1],
    options: { file: { ...text, short: 'f' }, keys: text, network: text, out: { ...text, short: 'o' } },
    // Loaded only where it is wanted: it brings all that reads a bootstrap file.
    run: async (invocation) => (await import('./image-make.ts')).makeImage(invocation),
  },
];

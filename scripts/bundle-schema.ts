import type { Plugin } from 'esbuild';
import standalone from 'ajv/dist/standalone/index.js';
import { ajv, validate } from '../src/document/validator.ts';

/**
 * Puts the check that Ajv compiles the schema to into the bundle, in place of Ajv: to compile it anew at every start was
 * half of all that linkspand computes until it serves.
 */
export const compiledSchema: Plugin = {
  name: 'compiled-schema',
  setup(build) {
    build.onLoad({ filter: /\/src\/document\/validator\.ts$/ }, () => ({
      contents: standalone.default(ajv, validate),
      loader: 'js',
    }));
  },
};

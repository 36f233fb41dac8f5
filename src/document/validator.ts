import { Ajv2020 } from 'ajv/dist/2020.js';
import type { RawDocument } from './raw.ts';
import schema from './desired.schema.json' with { type: 'json' };

/** `source` keeps the code of what it compiles, which is all of this file that the bundle holds: see scripts/bundle-schema.ts. */
export const ajv = new Ajv2020({ allErrors: true, verbose: true, code: { source: true, esm: true } });

/** Whether a value is a document by the schema; leaves its errors behind. */
export const validate = ajv.compile<RawDocument>(schema);

import { mergePatch } from './merge-patch.ts';
import type { Fields } from '../request/request-body.ts';

/** The bytes of a stored document with a merge patch to its `spec`, as version `version`. */
export function patched(body: string, patch: Fields, version: number): Buffer {
  const { spec, ...rest } = JSON.parse(body) as Fields;
  return Buffer.from(JSON.stringify({ ...rest, version, spec: mergePatch(spec, patch) }));
}

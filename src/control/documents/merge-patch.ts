import { BadRequest } from '../request/request-body.ts';

type Json = unknown;
type Fields = Readonly<Record<string, Json>>;

/** Deeper than any document; and JSON from outside may be deeper than our stack is. */
const DEPTH_MAX = 64;

/**
 * RFC 7396: the patch's members replace those of the target, null removes one, and only objects are merged. A member
 * named `__proto__` is one like any other.
 * @throws BadRequest where it is nested too deep
 */
export function mergePatch(target: Json, patch: Json, depth = 0): Json {
  if (!isFields(patch)) return patch;
  if (depth > DEPTH_MAX)
    throw new BadRequest(
      `params.patch: more than ${DEPTH_MAX} objects deep; give what is to change of the document's "spec"`,
    );
  const merged = new Map<string, Json>(isFields(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value, depth + 1));
  }
  return Object.fromEntries(merged);
}

function isFields(value: Json): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

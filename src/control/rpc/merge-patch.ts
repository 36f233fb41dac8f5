type Json = unknown;
type Fields = Readonly<Record<string, Json>>;

/**
 * RFC 7396: the patch's members replace those of the target, null removes one, and only objects are merged. A member
 * named `__proto__` is one like any other.
 */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isFields(patch)) return patch;
  const merged = new Map<string, Json>(isFields(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function isFields(value: Json): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { parse } from 'yaml';

/** A document's YAML as JSON. @throws where it is no YAML */
export function yamlToJson(source: string): string {
  // The default maxAliasCount stops a small file from growing into gigabytes.
  return JSON.stringify(parse(source, { schema: 'core', version: '1.2' }) ?? null);
}

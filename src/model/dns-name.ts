const LABEL = '[a-z0-9_-]{1,63}';
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const NAME_MAX = 253;

/**
 * A workload's name as DNS knows it (RFC 1035 section 2.3.4, with the underscore that containers' names have): lower
 * case, without a final dot; undefined where DNS could not ask for it.
 */
export function dnsName(text: string): string | undefined {
  const name = text.toLowerCase();
  return name.length <= NAME_MAX && NAME.test(name) ? name : undefined;
}

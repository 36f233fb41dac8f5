/**
 * The name that gateway `gw-<key>` has in this run. A starting service takes leftovers of its own name out of every
 * named namespace of the machine, so gateways of two runs side by side must not share names.
 */
export function gatewayName(key: string): string {
  return `gw-${key}-${process.pid}`;
}

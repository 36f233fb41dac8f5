import { wireUnder } from '../drivers/attachment.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { splitAlias } from '../drivers/naming.ts';
import type { ObservedLink } from '../host/links.ts';
import { sandboxPath } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';

/**
 * By object: endpoints whose MAC or address another endpoint of this gateway has on the same wire. The document is
 * checked for that before it is taken, but not beside what was attached on the spot or by Docker, before or after it.
 * Who has it in the kernel keeps it, then the document's order; the other one is left as it is.
 */
export function twins(intent: Intent, seen: Observation): ReadonlyMap<string, Problem> {
  const holders = new Map<string, EndpointSpec>();
  const claim = (spec: EndpointSpec, { key }: Claim): EndpointSpec => {
    const holder = holders.get(key) ?? spec;
    holders.set(key, holder);
    return holder;
  };
  for (const spec of intent.endpoints) for (const one of heldBy(spec, seen)) claim(spec, one);
  return new Map(
    intent.endpoints.flatMap((spec) =>
      claimsOf(spec).flatMap((one): (readonly [string, Problem])[] => {
        const holder = claim(spec, one);
        return holder === spec ? [] : [[spec.object, twinOf(spec, one, holder)]];
      }),
    ),
  );
}

/** Something that only one endpoint of a wire can have. */
type Claim = { readonly kind: 'mac' | 'address' | 'address6'; readonly value: string; readonly key: string };

function claimsOf(spec: EndpointSpec): readonly Claim[] {
  const { attachment, endpoint, mac } = spec;
  const wire = wireUnder(attachment);
  const claim = (kind: Claim['kind'], value: string): Claim => ({ kind, value, key: `${wire} ${value}` });
  return [
    ...(mac === undefined ? [] : [claim('mac', mac)]),
    ...endpoint.addresses.map(({ family, address }) => claim(family === 4 ? 'address' : 'address6', address)),
  ];
}

/** Those that its interface has already. */
function heldBy(spec: EndpointSpec, seen: Observation): readonly Claim[] {
  const links = seen.sandboxes.get(sandboxPath(spec.endpoint.sandbox))?.links ?? [];
  const link = links.find(({ ours, alias }) => ours && splitAlias(alias).alias === spec.alias);
  return link === undefined ? [] : claimsOf(spec).filter(({ value }) => has(link, value));
}

function has(link: ObservedLink, value: string): boolean {
  return link.mac === value || link.addresses.some((address) => address.split('/')[0] === value);
}

function twinOf({ endpoint }: EndpointSpec, { kind, value }: Claim, { endpoint: holder }: EndpointSpec): Problem {
  const { workload, network } = endpoint;
  const what = `workload ${workload}: ${kind === 'mac' ? 'MAC' : 'address'} ${value} is ${holder.workload}'s on ${holder.network}`;
  return {
    path: `/spec/workloads/${workload}/networks/${network}/${kind}`,
    code: kind === 'mac' ? 'duplicate_mac' : 'duplicate_address',
    message: `${what}, on the same wire; give one of the two another`,
  };
}

import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';

export type Site = {
  readonly name: string;
  /** where the gateway's service runs: `wan0` towards the other site, `lan0` towards the plant */
  readonly gateway: Namespace;
  readonly underlay: string;
  /** the plant's switch: bridge `br0` over `gw` (to lan0) and `plc` */
  readonly switch: Namespace;
  readonly plc: Namespace;
  readonly plcAddress: string;
  /** an empty namespace at this site, for a workload; its name is what a document's sandbox takes */
  readonly workload: (label: string) => Promise<Namespace>;
};

export type Sites = {
  readonly a: Site;
  readonly b: Site;
  /** pulls or plugs the cable between the sites */
  readonly underlay: (state: 'up' | 'down') => Promise<void>;
};

type Plan = { readonly key: string; readonly underlay: string; readonly plcAddress: string };

async function site(lab: Lab, plan: Plan): Promise<Site> {
  const gateway = await lab.namespace(`gw-${plan.key}`);
  const plant = await lab.namespace(`sw-${plan.key}`);
  const plc = await lab.namespace(`plc-${plan.key}`);
  await lab.veth(gateway, 'lan0', plant, 'gw');
  await lab.veth(plant, 'plc', plc, 'eth0');
  await lab.bridge(plant, 'br0', ['gw', 'plc']);
  await plc.ip('address', 'add', `${plan.plcAddress}/24`, 'dev', 'eth0');
  return {
    name: `gw-${plan.key}`,
    gateway,
    underlay: plan.underlay,
    switch: plant,
    plc,
    plcAddress: plan.plcAddress,
    workload: (label) => lab.namespace(`${plan.key}-${label}`),
  };
}

/** The underlay alone: a veth pair `wan0` to `wan0` with addresses (RFC 5737's test network 2). */
export async function joinUnderlay(lab: Lab, a: Namespace, b: Namespace, mtu: number): Promise<void> {
  await lab.veth(a, 'wan0', b, 'wan0');
  await Promise.all(
    [a, b].map((namespace, index) =>
      namespace.batch([`link set wan0 mtu ${mtu}`, `address add 198.51.100.${index + 1}/24 dev wan0`]),
    ),
  );
}

/**
 * Two sites: a gateway each (198.51.100.1 and .2), joined by an underlay of `mtu` bytes (default 1500), and behind each
 * gateway's `lan0` a plant switch with one PLC: 10.20.0.10 at a, 10.20.0.20 at b.
 */
export async function twoSites(lab: Lab, options: { readonly mtu?: number } = {}): Promise<Sites> {
  const a = await site(lab, { key: 'a', underlay: '198.51.100.1', plcAddress: '10.20.0.10' });
  const b = await site(lab, { key: 'b', underlay: '198.51.100.2', plcAddress: '10.20.0.20' });
  await joinUnderlay(lab, a.gateway, b.gateway, options.mtu ?? 1500);
  return { a, b, underlay: async (state) => void (await a.gateway.ip('link', 'set', 'wan0', state)) };
}

import { parseMac } from '../../model/mac.ts';
import type { Problem } from '../../model/problem.ts';
import type { Remote } from '../../model/peer.ts';
import type { Vni } from '../../model/vni.ts';
import { DEVICES_MAX, type Sighting, type Unclaimed } from '../../peers/devices.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { devicesOf } from '../../status/snapshot.ts';

/** The devices behind each stretched network's uplink, as the kernel's bridge has learned them. */
export function sightings(view: CycleView, remotes: (vni: Vni) => readonly Remote[]): readonly Sighting[] {
  return view.desired.networks.flatMap((network): readonly Sighting[] => {
    if (network.driver !== 'overlay' || network.stretch === undefined) return [];
    const seen = devicesOf(view, network.name).flatMap((mac) => parseMac(mac) ?? []);
    return [{ vni: network.vni, seen, remote: remotes(network.vni).flatMap(({ macs }) => macs) }];
  });
}

/** By object: stretched networks with devices that their peers are not told of. */
export function deviceProblems(view: CycleView, unclaimed: readonly Unclaimed[]): ReadonlyMap<string, Problem> {
  const byVni = new Map(
    view.desired.networks.flatMap((network) => (network.driver === 'overlay' ? [[network.vni, network.name]] : [])),
  );
  // One word for each network: the worst of it.
  const sorted = unclaimed.toSorted((a, b) => ORDER.indexOf(b.why) - ORDER.indexOf(a.why));
  return new Map(
    sorted.flatMap((one): (readonly [string, Problem])[] => {
      const network = byVni.get(one.vni);
      return network === undefined ? [] : [[`network/${network}`, problemOf(network, one)]];
    }),
  );
}

const ORDER: readonly Unclaimed['why'][] = ['workload', 'moves', 'full'];

function problemOf(network: string, { mac, why }: Unclaimed): Problem {
  const path = `/spec/networks/${network}/stretch`;
  const twice = 'two have it, or the sites are joined by another way too; change one, or cut that way';
  const said: Readonly<Record<Unclaimed['why'], readonly [Problem['code'], string]>> = {
    workload: ['duplicate_mac', `a device on its VLAN has MAC ${mac}, which is a workload's at another site: ${twice}`],
    moves: ['duplicate_mac', `the device with MAC ${mac} goes to and fro between sites: ${twice}`],
    full: [
      'mac_limit',
      `more than ${DEVICES_MAX} devices on its VLAN; the others are not told to the peers, and frames to them are flooded; stretch a smaller VLAN`,
    ],
  };
  const [code, message] = said[why];
  return { path, code, message: `network ${network}: ${message}` };
}

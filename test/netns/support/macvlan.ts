import { expect } from '@jest/globals';
import type { Gateway } from '../../lab/gateway.ts';
import { startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { type Site, twoSites } from '../../lab/sites.ts';
import { until } from '../../lab/wait.ts';
import { builtService } from './built.ts';
import { Capture } from './capture.ts';
import { apply, type Spec, workload } from './documents.ts';
import { gatewayName } from './names.ts';

export const MAC = '02:00:00:00:00:31';
const PLANT = { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64' };

/** A gateway with a plant behind it and two workloads for a macvlan network there, `plant`. */
export type MacvlanLab = {
  readonly lab: Lab;
  readonly site: Site;
  readonly gateway: Gateway;
  readonly w1: Namespace;
  readonly w2: Namespace;
  /** the network in that mode, with `change` among its keys; w2 is left out of passthru, which takes one only */
  readonly plant: (mode?: string, change?: Record<string, unknown>) => Spec;
};

export async function macvlanLab(lab: Lab): Promise<MacvlanLab> {
  builtService();
  const { a: site } = await twoSites(lab);
  const [w1, w2] = [await site.workload('w1'), await site.workload('w2')];
  await site.gateway.batch(['address add 10.20.0.1/24 dev lan0', 'address add fd00:20::1/64 dev lan0 nodad']);
  await site.plc.batch(['address add fd00:20::10/64 dev eth0 nodad']);
  const mqtt = { url: 'mqtt://127.0.0.1:9' };
  const status = { listen: '127.0.0.1:0' };
  const config = { gateway: gatewayName('a'), underlay: { address: site.underlay }, mqtt, status };
  const gateway = await startGateway(lab, { namespace: site.gateway, config });
  return { lab, site, gateway, w1, w2, plant: (mode, change) => plantOf([w1, w2], mode, change) };
}

function plantOf([w1, w2]: readonly [Namespace, Namespace], mode?: string, change: Record<string, unknown> = {}): Spec {
  const network = { ...PLANT, ...(mode !== undefined && { mode }), ...change };
  return {
    uplinks: { lan: { interface: 'lan0' } },
    networks: { plant: network },
    workloads: {
      w1: workload(w1, { plant: { address: '10.20.0.31', address6: 'fd00:20::31', mac: MAC } }),
      ...(mode === 'passthru' ? {} : { w2: workload(w2, { plant: { address: '10.20.0.32' } }) }),
    },
  };
}

/** Bridge mode, on whichever machine: the plant, a sibling and the host reach the workload, and it reaches them. */
export async function expectBridgeMode({ lab, site, gateway, w1, plant }: MacvlanLab): Promise<void> {
  const capture = await Capture.start(lab, site.plc, 'eth0', 'arp', 'or', 'icmp6');
  await apply(gateway, 1, plant());
  const announced = /02:00:00:00:00:31 > ff:ff:ff:ff:ff:ff.*(Request who-has|Reply) 10\.20\.0\.31/;
  await until('the gratuitous ARP on the wire', () => announced.test(capture.text()));
  await until('the unsolicited advertisement', () => /neighbor advertisement, tgt is fd00:20::31/.test(capture.text()));
  expect(await w1.reaches(site.plcAddress)).toBe(true);
  expect(await w1.reaches('fd00:20::10', 3)).toBe(true);
  expect(await w1.reaches('10.20.0.32')).toBe(true);
  expect(await site.plc.reaches('10.20.0.31')).toBe(true);
  expect(await site.gateway.reaches('10.20.0.31')).toBe(true);
  expect(await w1.reaches('10.20.0.1')).toBe(true);
  // The plant sees the workload's own MAC, not the gateway's.
  const { stdout } = await site.plc.ip('neigh', 'show', '10.20.0.31');
  expect(stdout).toContain(MAC);
}

import type { Scene } from './demo-scene.ts';
import type { Pages } from './demo-steps.ts';

/** The commands to explore a running demo, ready to paste from the checkout's folder. */
export function tour({ sites, workloads, devices, gateways }: Scene, pages: Pages): string[] {
  const cli = 'scripts/run linkspan';
  const historian = `nsenter --net=${workloads.historian.path}`;
  return [
    '',
    'It goes on running. From the folder of this checkout, as root:',
    '',
    ...Object.entries(pages).map(([gateway, url]) => `  ${url}  (status page of ${gateway})`),
    `  export LINKSPAN_SOCKET=${gateways.a?.socket}`,
    `  ${cli} status`,
    `  ${cli} peer ls`,
    `  ${cli} fdb line1`,
    `  ${historian} ping -c 3 10.110.0.31`,
    `  ${cli} fdb hall`,
    `  nsenter --net=${devices.sensor.path} ping -c 3 10.130.0.41`,
    `  ${historian} sh`,
    `  nsenter --net=${sites.a.gateway.path} tcpdump -nc 4 -i wan0 port 4789`,
    '  scripts/demo --end',
  ];
}

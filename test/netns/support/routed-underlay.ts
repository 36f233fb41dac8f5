import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';

/** Gateways at three sites, each behind a link of its own to one router: addresses by family, site 1 to 3. */
export type RoutedUnderlay = {
  readonly router: Namespace;
  readonly gateways: readonly [Namespace, Namespace, Namespace];
  readonly address: (site: 1 | 2 | 3, family: 4 | 6) => string;
  /** what the link to a site passes, at both its ends */
  readonly narrow: (site: 1 | 2 | 3, mtu: number) => Promise<void>;
  /** the site's link at the router: packets of it are dropped there both ways, and nobody is told; or pass again */
  readonly silence: (site: 1 | 2 | 3, silent: boolean) => Promise<void>;
};

const SITES = [1, 2, 3] as const;
const address = (site: number, family: 4 | 6): string =>
  family === 4 ? `198.51.100.${site}0` : `2001:db8:${site}::10`;
const router = (site: number, family: 4 | 6): string => (family === 4 ? `198.51.100.${site}1` : `2001:db8:${site}::1`);

/** A router between three sites, whose links are `wan0` at the gateways and `site1` to `site3` at the router. */
export async function routedUnderlay(lab: Lab): Promise<RoutedUnderlay> {
  const middle = await lab.namespace('router');
  await middle.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  await middle.exec(
    'nft',
    'table inet cut { set silent { type ifname; }; chain f { type filter hook forward priority 0; }; }',
  );
  for (const way of ['iifname', 'oifname']) await middle.exec('nft', `add rule inet cut f ${way} @silent drop`);
  const gateways: Namespace[] = [];
  for (const site of SITES) {
    const gateway = await lab.namespace(`gw-${site}`);
    await lab.veth(gateway, 'wan0', middle, `site${site}`);
    await gateway.batch([
      `address add ${address(site, 4)}/31 dev wan0`,
      `address add ${address(site, 6)}/64 dev wan0 nodad`,
    ]);
    await middle.batch([
      `address add ${router(site, 4)}/31 dev site${site}`,
      `address add ${router(site, 6)}/64 dev site${site} nodad`,
    ]);
    await gateway.batch([`route add default via ${router(site, 4)}`, `route add ::/0 via ${router(site, 6)}`]);
    gateways.push(gateway);
  }
  return {
    router: middle,
    gateways: gateways as [Namespace, Namespace, Namespace],
    address,
    narrow: async (site, mtu) => {
      await middle.ip('link', 'set', `site${site}`, 'mtu', String(mtu));
      // The gateway itself believes that its link passes all: so it is behind a provider's tunnel.
    },
    silence: async (site, silent) => {
      await middle.exec('nft', `${silent ? 'add' : 'delete'} element inet cut silent { "site${site}" }`);
    },
  };
}

import type { IpvlanNetwork, MacvlanNetwork, Network, OverlayNetwork, SiteNetwork } from '../model/network.ts';
import { isVni } from '../model/vni.ts';
import { vlanOf } from '../model/vlan.ts';
import { parseIp } from '../model/ip.ts';
import { LinkspanError, raise } from '../service/errors.ts';
import type { CreateNetworkRequest } from './requests.ts';

/** 0 tags a priority only, and 4095 is reserved (IEEE 802.1Q). */
const VLAN = { least: 1, most: 4094 } as const;
const MTU = { least: 68, most: 65_535 } as const;
const PREFIX = /^[a-z][a-z0-9]{0,7}$/;
/** Not the loopback: the kernel takes no macvlan on it, which each container's start would find out. */
const INTERFACE = /^(?!lo$)[^\s/:"]{1,15}$/;

const MACVLAN_MODES = ['bridge', 'vepa', 'private', 'passthru'] as const;
const IPVLAN_MODES = ['l2', 'l3', 'l3s'] as const;
const ENGINES = ['auto', 'kernel', 'user'] as const;

/** Options of every driver, by each name that they go by. */
const COMMON = new Map([
  ['driver', 'driver'],
  ['network', 'network'],
  ['mtu', 'mtu'],
  ['com.docker.network.driver.mtu', 'mtu'],
  ['com.docker.network.container_iface_prefix', 'prefix'],
]);

const BY_DRIVER = {
  bridge: new Map([
    ['icc', 'icc'],
    ['com.docker.network.bridge.enable_icc', 'icc'],
    ['masquerade', 'masquerade'],
    ['com.docker.network.bridge.enable_ip_masquerade', 'masquerade'],
  ]),
  macvlan: new Map([
    ['parent', 'parent'],
    ['macvlan_mode', 'mode'],
    ['mode', 'mode'],
    ['shim', 'shim'],
    ['vlan', 'vlan'],
    ['outer_vlan', 'outer_vlan'],
    ['address', 'address'],
  ]),
  ipvlan: new Map([
    ['parent', 'parent'],
    ['ipvlan_mode', 'mode'],
    ['mode', 'mode'],
    ['shim', 'shim'],
    ['vlan', 'vlan'],
    ['outer_vlan', 'outer_vlan'],
  ]),
  overlay: new Map([
    ['vni', 'vni'],
    ['engine', 'engine'],
    ['peers', 'peers'],
  ]),
} as const;

type Driver = keyof typeof BY_DRIVER;
type Options = ReadonlyMap<string, string>;

/** What `docker network create` asked for: to join a network of the document, or one of its own. */
export type Wanted = { readonly prefix: string } & ({ readonly joins: string } | { readonly own: Network });

/**
 * Reads the options of `docker network create -d linkspan`.
 * @throws LinkspanError `bad_option` that names the option and what it may be
 */
export function wantedNetwork(request: CreateNetworkRequest): Wanted {
  const { options: given, id } = request;
  const joins = given.get('network');
  const prefix = given.get('com.docker.network.container_iface_prefix') ?? 'eth';
  if (!PREFIX.test(prefix)) throw bad('com.docker.network.container_iface_prefix', 'a short word such as eth');
  if (joins !== undefined) {
    canonical(given, new Map([...COMMON].filter(([, name]) => name === 'network' || name === 'prefix')));
    return { prefix, joins };
  }
  const driver = driverOf(given);
  const options = canonical(given, new Map<string, string>([...COMMON, ...BY_DRIVER[driver]]));
  const common = commonOf(request, `docker-${id.slice(0, 12)}`, options);
  return { prefix, own: ownNetwork(driver, common, options) };
}

type Common = Pick<Network, 'name' | 'subnets' | 'gateways' | 'mtu' | 'internal'>;

function commonOf({ pools, internal }: CreateNetworkRequest, name: string, options: Options): Common {
  const mtu = numberOf(options, 'mtu', MTU.least, MTU.most);
  return {
    name,
    subnets: pools.map(({ subnet }) => subnet),
    gateways: pools.flatMap(({ gateway }) => gateway ?? []),
    ...(mtu !== undefined && { mtu }),
    ...(internal && { internal }),
  };
}

function ownNetwork(driver: Driver, common: Common, options: Options): Network {
  if (driver === 'bridge') {
    const [icc, masquerade] = [booleanOf(options, 'icc'), booleanOf(options, 'masquerade')];
    return {
      ...common,
      driver,
      ...(icc === false && { icc }),
      ...(masquerade === false && { masquerade }),
    };
  }
  if (driver === 'overlay') return overlayOf(common, options);
  return driver === 'ipvlan' ? ipvlanOf(common, options) : macvlanOf(common, options);
}

type Place = Pick<SiteNetwork, 'uplink' | 'vlan' | 'outerVlan'>;

function placeOf(options: Options): Place {
  const parent = options.get('parent');
  if (parent === undefined) throw bad('parent', 'the interface that the containers stand on, e.g. -o parent=eth0');
  if (!INTERFACE.test(parent)) throw bad('parent', 'the name of an interface of this gateway');
  const vlan = numberOf(options, 'vlan', VLAN.least, VLAN.most);
  const outerVlan = numberOf(options, 'outer_vlan', VLAN.least, VLAN.most);
  if (outerVlan !== undefined && vlan === undefined) throw bad('vlan', 'given with outer_vlan, e.g. -o vlan=110');
  return { uplink: { name: parent, interface: parent }, ...vlanOf({ vlan, outerVlan }) };
}

function macvlanOf(common: Common, options: Options): MacvlanNetwork {
  const mode = oneOf(options, 'mode', MACVLAN_MODES) ?? 'bridge';
  const dhcp = oneOf(options, 'address', ['dhcp'] as const) !== undefined;
  const shim = booleanOf(options, 'shim') ?? mode === 'bridge';
  return { ...common, ...placeOf(options), driver: 'macvlan', mode, shim, ...(dhcp && { dhcp }) };
}

function ipvlanOf(common: Common, options: Options): IpvlanNetwork {
  const mode = oneOf(options, 'mode', IPVLAN_MODES) ?? 'l2';
  return { ...common, ...placeOf(options), driver: 'ipvlan', mode, shim: booleanOf(options, 'shim') ?? true };
}

/**
 * Docker sets a router's address aside in each pool whether or not anybody asked for one, and in an overlay nobody
 * answers there: so no default route unless the document gives the network one.
 */
function overlayOf(common: Common, options: Options): OverlayNetwork {
  const vni = Number(options.get('vni'));
  if (!isVni(vni)) throw bad('vni', 'a whole number from 1 to 16777215, the same at every site, e.g. -o vni=10110');
  const peers = (options.get('peers') ?? '').split(',').filter((peer) => peer !== '');
  return {
    ...common,
    gateways: [],
    driver: 'overlay',
    vni,
    engine: oneOf(options, 'engine', ENGINES) ?? 'auto',
    peers: peers.map((peer) => parseIp(peer) ?? raise(bad('peers', 'addresses of VTEPs, joined by commas'))),
    bum: { kind: 'replicate' },
  };
}

function driverOf(options: Options): Driver {
  const driver = options.get('driver');
  if (driver !== undefined && Object.hasOwn(BY_DRIVER, driver)) return driver as Driver;
  if (driver !== undefined) throw bad('driver', `one of ${Object.keys(BY_DRIVER).join(', ')}`);
  if (options.has('vni')) return 'overlay';
  if (options.has('ipvlan_mode')) return 'ipvlan';
  return options.has('parent') ? 'macvlan' : 'bridge';
}

/** The options by the one name that is used here. What is not known is refused: nobody else would say that it does nothing. */
function canonical(given: Options, names: ReadonlyMap<string, string>): Options {
  return new Map(
    [...given].map(([key, value]) => {
      const name = names.get(key);
      if (name === undefined) throw bad(key, `left off; here there are ${[...names.keys()].join(', ')}`);
      return [name, value];
    }),
  );
}

function numberOf(options: Options, key: string, least: number, most: number): number | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw bad(key, `a whole number from ${least} to ${most}`);
  return value;
}

/** The words that Docker itself takes. */
function booleanOf(options: Options, key: string): boolean | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw bad(key, 'true or false');
}

function oneOf<T extends string>(options: Options, key: string, words: readonly T[]): T | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  return words.find((word) => word === text) ?? raise(bad(key, `one of ${words.join(', ')}`));
}

function bad(option: string, wanted: string): LinkspanError {
  return new LinkspanError({
    code: 'bad_option',
    object: `option ${option}`,
    reason: 'is not what this driver can do',
    remedy: `it must be ${wanted}`,
  });
}

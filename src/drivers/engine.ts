import type { EngineName, OverlayNetwork } from '../model/network.ts';

/** What decides the engine, beside the networks' own words. */
export type EngineHost = {
  /** whether the kernel has vxlan */
  readonly vxlan: boolean;
  /** whether it can answer for neighbours at other sites; absent: it cannot */
  readonly answers?: boolean;
  /** `datapath.engine` of the bootstrap file: the engine of networks that say auto */
  readonly preferred: OverlayNetwork['engine'];
  /** linkspan-datapath: its socket, and whether it answers there */
  readonly datapath: { readonly socket: string; readonly running: boolean };
  /** every overlay network of the gateway: they share one engine */
  readonly networks: readonly Pick<OverlayNetwork, 'name' | 'engine'>[];
};

export type EngineChoice = { readonly name: EngineName; readonly reason: string };

/**
 * The engine of a network, and why. One UDP port is bound by one side only, the kernel's vxlan or the datapath, so a
 * word for one engine holds for every network that has no word of its own; the documents' words come before the
 * bootstrap file's. Two that contradict each other never get here: the document is refused.
 */
export function chooseEngine(network: Pick<OverlayNetwork, 'name' | 'engine'>, host: EngineHost): EngineChoice {
  if (network.engine !== 'auto') return { name: network.engine, reason: 'asked for' };
  const user = host.networks.find(({ engine }) => engine === 'user');
  if (user !== undefined) return shared('user', user.name);
  const kernel = host.networks.find(({ engine }) => engine === 'kernel');
  // A network that waits for a vxlan that is not there binds no port, and holds up no other.
  if (kernel !== undefined && host.vxlan) return shared('kernel', kernel.name);
  if (host.preferred !== 'auto') return { name: host.preferred, reason: 'datapath.engine says so' };
  return host.vxlan
    ? { name: 'kernel', reason: 'the kernel has vxlan' }
    : { name: 'user', reason: 'the kernel has no vxlan' };
}

function shared(name: EngineName, network: string): EngineChoice {
  return { name, reason: `network ${network} asks for it, and a gateway has one engine` };
}

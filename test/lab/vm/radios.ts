import type { Lab } from '../lab.ts';
import type { Namespace } from '../namespace.ts';

const MODULE = 'mac80211_hwsim';

/** A simulated radio: all that are made together hear each other. */
export type Radio = { readonly phy: string; readonly device: string };

/** That many radios in the VM, each with one interface, until the lab's close. */
export async function radios(lab: Lab, count: number): Promise<readonly Radio[]> {
  await lab.run(['modprobe', MODULE, `radios=${count}`]);
  lab.defer(() => lab.run(['modprobe', '--remove', MODULE]));
  const { stdout } = await lab.run(['iw', 'dev']);
  // Each boot counts on, so a radio's number is not its place.
  return [...stdout.matchAll(/^phy#(\d+)\n\s+Interface (\S+)/gm)]
    .map(([, phy = '', device = '']) => ({ phy: `phy${phy}`, device }))
    .toSorted((a, b) => a.device.localeCompare(b.device));
}

/** Puts the radio and its interface into the namespace. */
export async function moveRadio(lab: Lab, { phy }: Radio, to: Namespace): Promise<void> {
  await lab.run(['iw', 'phy', phy, 'set', 'netns', 'name', to.name]);
}

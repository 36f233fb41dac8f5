import {
  familyQuestion,
  readFamily,
  readWirelessInterface,
  wirelessDump,
  type WirelessMessage,
} from '../packet/nl80211.ts';
import { LINUX, SystemCallError } from './libc.ts';
import { ask } from './netlink.ts';

/** What the kernel says of a wireless interface. */
export type Wireless = Pick<WirelessMessage, 'oneMac'>;

const [ENOENT, EPROTONOSUPPORT] = [2, 93];
const NO_DRIVER = new Set([ENOENT, EPROTONOSUPPORT]);

/**
 * The wireless interfaces of the own namespace, by index; none where the kernel has no driver for any.
 * @throws SystemCallError where they could not be read: workloads on WiFi would be moved as if it were a wire
 */
export async function readWireless(): Promise<ReadonlyMap<number, Wireless>> {
  try {
    const [found = []] = await ask([familyQuestion()], { protocol: LINUX.NETLINK_GENERIC });
    const family = found.map((message) => readFamily(message)).find((number) => number !== undefined);
    if (family === undefined) return new Map();
    const [answer = []] = await ask([wirelessDump(family)], { protocol: LINUX.NETLINK_GENERIC });
    const interfaces = answer.flatMap((message) => readWirelessInterface(message, family) ?? []);
    return new Map(interfaces.map(({ index, ...wireless }) => [index, wireless]));
  } catch (error) {
    if (error instanceof SystemCallError && NO_DRIVER.has(error.errno)) return new Map();
    throw error;
  }
}

import { fileURLToPath } from 'node:url';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';
import { Capture } from './capture.ts';

const PROGRAM = fileURLToPath(new URL('storm.child.ts', import.meta.url));

/** Broadcast from an interface, at a rate; ends with what this returns, which says how many were sent a second. */
export async function startStorm(
  lab: Lab,
  at: Namespace,
  device: string,
  perSecond: number,
): Promise<() => Promise<number>> {
  const process_ = await lab.process(at, [process.execPath, PROGRAM, device, String(perSecond)]);
  await until('the storm', () => process_.log().includes('ready'));
  return async () => {
    await process_.stop();
    const [, frames = '0', ms = '1'] = /sent (\d+) in (\d+) ms/.exec(process_.log()) ?? [];
    return (Number(frames) * 1000) / Number(ms);
  };
}

/** When each of the storm's frames arrived at a workload, in seconds. */
export async function arrivals(lab: Lab, at: Namespace, whileIt: () => Promise<unknown>): Promise<readonly number[]> {
  const capture = await Capture.start(lab, at, 'eth0', '-tt', 'udp port 9999');
  await whileIt();
  const text = await capture.stop();
  return [...text.matchAll(/^(\d+\.\d+) .*\.9999: UDP/gm)].map((match) => Number(match[1]));
}

/** The most that any second had. */
export function busiestSecond(times: readonly number[]): number {
  let [first, most] = [0, 0];
  for (const [last, time] of times.entries()) {
    while (time - (times[first] ?? time) >= 1) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** The median round trip in milliseconds, of `count` pings. */
export async function roundTrip(from: Namespace, address: string, count = 200): Promise<number> {
  const { stdout } = await from.exec('ping', '-n', '-i', '0.01', '-c', String(count), '-W', '1', address);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1])).toSorted((a, b) => a - b);
  if (times.length < count * 0.99) throw new Error(`${times.length} of ${count} pings were answered`);
  return times[Math.floor(times.length / 2)] ?? Number.NaN;
}

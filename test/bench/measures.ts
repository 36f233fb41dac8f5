import { setTimeout as sleep } from 'node:timers/promises';
import { datagrams, processorSeconds, residentMegabytes } from './counters.ts';
import { iperf } from './iperf.ts';
import { spreadOf } from './statistics.ts';
import type { Path } from './topologies/ends.ts';

export type How = {
  /** of each measurement */
  readonly seconds: number;
  /** TCP's congestion control */
  readonly congestion: string;
};

/** Thousands of datagrams a second that are offered: below, around and above what a path can carry without loss. */
export const LOADS = [40, 80, 120, 160, 200] as const;
export type Load = (typeof LOADS)[number];

type TcpMetric = 'tcp1' | 'tcp4';

/**
 * What a measure gives. `rtt` µs; `tcp1`, `tcp4` Gbit/s, and with `_cpu` the whole machine's processor seconds per GB;
 * `udp64` thousands of packets a second that arrive of a flood; `at120_sent`, `_received` and `_lost` thousands a
 * second and per cent where 120 thousand a second are offered; `memory` MB of one gateway's datapath process.
 */
export type Metric =
  | 'rtt'
  | TcpMetric
  | `${TcpMetric}_cpu`
  | 'udp64'
  | `at${Load}_${'sent' | 'received' | 'lost'}`
  | 'memory';

export type Values = Readonly<Partial<Record<Metric, number>>>;

export type Measure = { readonly key: string; readonly take: (path: Path, how: How) => Promise<Values> };

/** Median round trip of 500 pings. */
async function roundTrip(path: Path): Promise<Values> {
  const { stdout } = await path.client.exec('ping', '-n', '-i', '0.002', '-c', '500', path.address);
  return { rtt: spreadOf([...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000)).median };
}

function tcp(key: TcpMetric, streams: number): Measure {
  const take = async (path: Path, { seconds, congestion }: How): Promise<Values> => {
    const before = await processorSeconds();
    const { end } = await iperf(path, seconds, ['--congestion', congestion, '--parallel', String(streams)]);
    const worked = (await processorSeconds()) - before;
    const { bits_per_second: speed = 0, bytes = 0 } = end.sum_received ?? {};
    return { [key]: speed / 1e9, [`${key}_cpu`]: worked / (bytes / 1e9) };
  };
  return { key, take };
}

type Traffic = { readonly sent: number; readonly received: number };

/** Thousands of 64-byte datagrams a second that one program sends and another receives; a bit rate of 0 is no limit. */
async function smallPackets(path: Path, { seconds }: How, bitrate: number): Promise<Traffic> {
  const [client, server] = [await datagrams(path.client), await datagrams(path.server)];
  const { end } = await iperf(path, seconds, ['--udp', '--bitrate', String(bitrate), '--length', '64']);
  // Lets queues and freed sockets drain before the next topology's turn.
  await sleep(100);
  const thousands = (end.sum?.seconds ?? seconds) * 1000;
  return {
    sent: ((await datagrams(path.client)).sent - client.sent) / thousands,
    received: ((await datagrams(path.server)).received - server.received) / thousands,
  };
}

async function flood(path: Path, how: How): Promise<Values> {
  return { udp64: (await smallPackets(path, how, 0)).received };
}

function offered(load: Load): Measure {
  const take = async (path: Path, how: How): Promise<Values> => {
    const { sent, received } = await smallPackets(path, how, load * 1000 * 64 * 8);
    const lost = Math.max(0, (1 - received / sent) * 100);
    return { [`at${load}_sent`]: sent, [`at${load}_received`]: received, [`at${load}_lost`]: lost };
  };
  return { key: `udp64 at ${load} k/s`, take };
}

/** Of the larger of both gateways' processes. */
async function memory({ datapaths }: Path): Promise<Values> {
  if (datapaths.length === 0) return {};
  return { memory: Math.max(...(await Promise.all(datapaths.map((pid) => residentMegabytes(pid))))) };
}

/** What is measured on each topology in each round, in this order: memory after the load. */
export const MEASURES: readonly Measure[] = [
  { key: 'rtt', take: roundTrip },
  tcp('tcp1', 1),
  tcp('tcp4', 4),
  { key: 'udp64', take: flood },
  ...LOADS.map((load) => offered(load)),
  { key: 'memory', take: memory },
];

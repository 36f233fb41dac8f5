import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../lab/lab.ts';
import { withLab } from '../../lab/lab.ts';
import type { LabProcess } from '../../lab/process.ts';
import { flow, serve } from '../iperf.ts';
import type { Path } from '../topologies/ends.ts';
import { makeEnds, makeGateways } from '../topologies/ends.ts';
import { userSites } from '../topologies/user.ts';
import type { SoakReport } from './report.ts';
import { EVERY_S, soakReport, STREAMS, WARM_UP_MINUTES } from './report.ts';
import type { BySite, Sample, Site } from './sample.ts';
import { sample } from './sample.ts';
import { minuteLine } from './table.ts';

// The load must not end before the last sample; the lab's close ends it.
const SPARE_S = 60;

type Progress = (line: string) => void;

/** Keeps two sites on the user engine at full rate both ways for so many minutes after one to warm up. */
export function benchSoak(minutes: number, progress: Progress): Promise<SoakReport> {
  return withLab(async (lab) => {
    const { path, sites } = await joinSites(lab);
    await serve(lab, path);
    const seconds = (WARM_UP_MINUTES + minutes) * 60;
    const load = await flow(lab, path, seconds + SPARE_S, STREAMS);
    return soakReport(minutes, await follow(sites, load, seconds, progress));
  });
}

async function joinSites(lab: Lab): Promise<{ readonly path: Path; readonly sites: BySite<Site> }> {
  const gateways = await makeGateways(lab, 'wire', 'soak');
  const { path, datapaths } = await userSites(lab, await makeEnds(lab, gateways, 'soak'));
  const [a, b] = gateways;
  return { path, sites: { a: { gateway: a, datapath: datapaths[0] }, b: { gateway: b, datapath: datapaths[1] } } };
}

/** A sample as the load begins and every 10 s from then on, by the clock: taking one delays no later one. */
async function follow(sites: BySite<Site>, load: LabProcess, seconds: number, progress: Progress): Promise<Sample[]> {
  const began = performance.now();
  const samples = [await sample(sites, began)];
  for (let at = EVERY_S; at <= seconds; at += EVERY_S) {
    await sleep(began + at * 1000 - performance.now());
    if (!load.running) throw new Error(`iperf3 ended before its time: ${await load.exited}\n${load.log()}`);
    samples.push(await sample(sites, began));
    if (at % 60 === 0) progress(minuteLine(samples, seconds / 60));
  }
  return samples;
}

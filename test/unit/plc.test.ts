import { afterEach, expect, test } from '@jest/globals';
import type { Mac } from '../../src/model/mac.ts';
import { freePorts } from '../lab/image/free-ports.ts';
import { Plc } from '../lab/image/plc.ts';
import { Lab } from '../lab/lab.ts';

const lab = new Lab();
afterEach(() => lab.close());

function plug(last: number, vlan: number, local: number, remote: number): Promise<Plc> {
  const mac = `02:00:00:00:00:0${last}` as Mac;
  return Plc.plugIn(lab, { mac, address: `10.20.0.${last}`, vlan, cable: { local, remote } });
}

/** Two devices on one cable, each on a VLAN. */
async function pair(vlanA: number, vlanB: number): Promise<readonly [Plc, Plc]> {
  const [one = 0, two = 0] = await freePorts(2);
  return [await plug(1, vlanA, one, two), await plug(2, vlanB, two, one)];
}

test('two devices on one VLAN of a cable reach each other, and an address that nobody has is not reached', async () => {
  const [a, b] = await pair(110, 110);
  expect(await a.reaches('10.20.0.2')).toBe(true);
  expect(await b.reaches('10.20.0.1')).toBe(true);
  expect(await a.reaches('10.20.0.3', 300)).toBe(false);
});

test('two on different VLANs do not', async () => {
  const [a] = await pair(110, 120);
  expect(await a.reaches('10.20.0.2', 300)).toBe(false);
});

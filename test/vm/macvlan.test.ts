import { afterEach, beforeEach, test } from '@jest/globals';
import type { Lab } from '../lab/lab.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { expectBridgeMode, macvlanLab } from '../netns/support/macvlan.ts';

let lab: Lab;

beforeEach(async () => {
  lab = await vmLab();
});
afterEach(() => lab.close());

test('the service in the VM, bridge mode: the plant, a sibling and the host reach the workload, and it reaches them', async () => {
  await expectBridgeMode(await macvlanLab(lab));
});

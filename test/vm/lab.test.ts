import { test, expect } from '@jest/globals';
import { vmLab } from '../lab/vm/lab.ts';
test('runs', async () => {
  const lab = await vmLab();
  const t = performance.now();
  const r = await lab.run(['uname', '-r']);
  const t1 = performance.now();
  for (let i = 0; i < 20; i++) await lab.run(['true']);
  const t2 = performance.now();
  for (let i = 0; i < 20; i++) await lab.run(['ip', 'link']);
  const t3 = performance.now();
  await Promise.all(Array.from({length: 20}, () => lab.run(['ip', 'link'])));
  console.log(r, t1 - t, (t2 - t1) / 20, (t3 - t2) / 20, (performance.now() - t3) / 20);
  await lab.close();
  expect(r.code).toBe(0);
});

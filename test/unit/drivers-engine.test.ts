import { expect, test } from '@jest/globals';
import { chooseEngine, type EngineHost } from '../../src/drivers/engine.ts';

type Wish = EngineHost['preferred'];

const choose = (own: Wish, others: Wish[], preferred: Wish, vxlan = true): string => {
  const networks = [own, ...others].map((engine, n) => ({ name: `n${n}`, engine }));
  const datapath = { socket: '', running: true };
  const { name, reason } = chooseEngine({ name: 'n0', engine: own }, { vxlan, preferred, datapath, networks });
  return `${name}: ${reason}`;
};

test.each<[string, Wish, Wish[], Wish, boolean, string]>([
  ['its own word comes first', 'kernel', [], 'user', true, 'kernel: asked for'],
  ['its own word, whatever the kernel has', 'kernel', [], 'auto', false, 'kernel: asked for'],
  ['another’s word', 'auto', ['auto', 'user'], 'kernel', true, 'user: network n2 asks for it'],
  ['another’s word for the kernel', 'auto', ['kernel'], 'user', true, 'kernel: network n1 asks for it'],
  ['no word for what is not there', 'auto', ['kernel'], 'auto', false, 'user: the kernel has no vxlan'],
  ['the bootstrap file', 'auto', [], 'user', true, 'user: datapath.engine says so'],
  ['the bootstrap file, in vain', 'auto', [], 'kernel', false, 'kernel: datapath.engine says so'],
  ['the kernel', 'auto', ['auto'], 'auto', true, 'kernel: the kernel has vxlan'],
  ['the lack of it', 'auto', [], 'auto', false, 'user: the kernel has no vxlan'],
])('an engine is chosen by %s', (_, own, others, preferred, vxlan, expected) => {
  expect(choose(own, others, preferred, vxlan)).toMatch(new RegExp(`^${expected}`));
});

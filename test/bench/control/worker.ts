import { Member } from './member.ts';
import { serve } from './serve.ts';
import { Shape } from './shape.ts';

/** A process of the bench with some of the fleet's gateways in it, told what to do by the bench. */
const members = new Map<number, Member>();
let watching: Promise<number>[] = [];

const all = <T>(of: (member: Member) => T): T[] => [...members.values()].map(of);

serve({
  build: ({ gateways, members: indices, ...options }) => {
    const shape = new Shape(gateways);
    for (const index of indices) members.set(index, new Member(shape, index, options));
    return null;
  },
  start: () => Promise.all(all((member) => member.start())),
  lacks: () => all((member) => member.lacks()).reduce((sum, lacking) => sum + lacking, 0),
  watch: (order) => {
    const here = order.members.flatMap((index) => members.get(index) ?? []);
    watching = here.map((member) =>
      order.what === 'mac' ? member.sees(order.vni, order.mac, order.gateway) : member.misses(order.gateway),
    );
    return null;
  },
  seen: () => Promise.all(watching),
  take: ({ member, vni, device }) => {
    const taker = members.get(member);
    if (!taker) throw new Error(`gateway ${member} is not here`);
    return taker.take(vni, device);
  },
  stop: async () => {
    await Promise.all(all((member) => member.stop()));
    return null;
  },
});

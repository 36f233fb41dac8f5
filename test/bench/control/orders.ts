import type { Credentials } from '../../../src/control/session/credentials.ts';
import type { MacEntry } from '../../../src/model/peer.ts';
import type { Vni } from '../../../src/model/vni.ts';
import type { Signing } from './signing.ts';

/** What a worker process is told; all times are `now()` of instant.ts. */
export type Orders = {
  /** makes these gateways of the fleet; they do nothing yet */
  build: {
    readonly order: {
      readonly gateways: number;
      readonly members: readonly number[];
      readonly epoch: number;
      readonly access: Credentials & { readonly url: string };
      readonly signing: Signing | undefined;
    };
    readonly answer: null;
  };
  /** connects them all; answers with when each knew everything */
  start: { readonly order: null; readonly answer: readonly number[] };
  /** how many MACs they lack in all */
  lacks: { readonly order: null; readonly answer: number };
  /** has those of them watch where a MAC is, or whether a gateway is gone; `seen` gives the answer */
  watch: { readonly order: Watched & { readonly members: readonly number[] }; readonly answer: null };
  /** when each that watches saw it */
  seen: { readonly order: null; readonly answer: readonly number[] };
  /** brings a device to one of them; answers with when */
  take: {
    readonly order: { readonly member: number; readonly vni: Vni; readonly device: MacEntry };
    readonly answer: number;
  };
  stop: { readonly order: null; readonly answer: null };
};

export type Watched =
  | { readonly what: 'mac'; readonly vni: Vni; readonly mac: string; readonly gateway: string }
  | { readonly what: 'gone'; readonly gateway: string };

export type Name = keyof Orders;
export type Order<N extends Name> = Orders[N]['order'];
export type Answer<N extends Name> = Orders[N]['answer'];

/** Over the channel between bench and worker. */
export type Request = { [N in Name]: { readonly id: number; readonly name: N; readonly order: Order<N> } }[Name];
export type Reply = { readonly id: number; readonly answer?: unknown; readonly error?: string };

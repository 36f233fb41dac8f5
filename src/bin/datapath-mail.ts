import type { MessagePort } from 'node:worker_threads';
import type { Counters } from '../datapath/counters.ts';
import type { EngineState } from '../datapath/engine-state.ts';
import type { CallBatch } from '../host/call-batch.ts';
import type { MemoryCalls } from '../host/memory-calls.ts';
import type { OpenUnderlay } from '../host/underlay.ts';

export type Learned = {
  readonly kind: 'learned';
  /** of the state by which the peer is numbered */
  readonly sequence: number;
  readonly vni: number;
  readonly high: number;
  readonly low: number;
  readonly peer: number;
};

/** What a worker is told. */
export type Mail = StateMail | Learned | { readonly kind: 'stop' };

export type StateMail = {
  readonly kind: 'state';
  readonly sequence: number;
  readonly state: EngineState;
  /** descriptor of each network's TAP, by VNI */
  readonly taps: ReadonlyMap<number, number>;
  readonly underlay: OpenUnderlay;
  /** whether the TAPs take UDP super-frames */
  readonly joinsUdp: boolean;
};

/** What a worker says: which state it works by, that a TAP cannot be read, that the way to a peer is too narrow. */
export type Report =
  | { readonly kind: 'applied'; readonly sequence: number; readonly batching: CallBatch['kind'] }
  | { readonly kind: 'tap_gone'; readonly sequence: number; readonly vni: number }
  | { readonly kind: 'too_big'; readonly sequence: number };

export type WorkerData = {
  readonly role: 'egress' | 'ingress' | 'both';
  readonly segment: WebAssembly.Module;
  readonly coalesce: WebAssembly.Module;
  readonly port: number;
  readonly bell: number;
  readonly mail: MessagePort;
  /** the other direction's thread, where there is one; its bell is known to the way in */
  readonly neighbour: { readonly mail?: MessagePort; readonly bell?: number };
  readonly counters: SharedArrayBuffer;
};

/** What both ways of one thread work with. */
export type Thread = {
  readonly data: WorkerData;
  readonly calls: MemoryCalls;
  readonly batch: CallBatch;
  readonly counters: Counters;
  readonly report: (what: Report) => void;
};

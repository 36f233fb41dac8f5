import type { EngineName } from '../../lab/docker-engines.ts';
import type { Floored } from '../floors.ts';
import type { Machine } from '../machine.ts';
import type { LabName } from '../topologies/ends.ts';
import type { CallFigure } from './calls.ts';
import type { Comparison } from './comparison.ts';
import type { Operation } from './operations.ts';

/** What is measured of the way between two sites' containers; the units are those of `Metric`. */
export const TRAFFIC = ['rtt', 'tcp1', 'udp64'] as const;
export type Traffic = (typeof TRAFFIC)[number];

/** Milliseconds. */
export type GatewayReport = {
  readonly operations: Readonly<Record<Operation, Comparison>>;
  readonly calls: Readonly<Record<string, CallFigure>>;
};

/** `firstReply` milliseconds */
export type AcrossReport = { readonly lab: LabName; readonly firstReply: Comparison } & Readonly<
  Record<Traffic, Comparison>
>;

/** Where a floor counts: on one gateway, or between two. */
export type Where = LabName | 'one';

export type AttachReport = {
  readonly benchmark: 'attach';
  readonly taken: string;
  readonly machine: Machine;
  readonly engine: EngineName;
  readonly rounds: number;
  readonly seconds: number;
  readonly congestion: string;
  readonly gateway: GatewayReport;
  readonly across: readonly AcrossReport[];
  readonly floors: readonly Floored<Where>[];
};

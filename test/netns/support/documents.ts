import type { RunResult } from '../../lab/exec.ts';
import type { Gateway } from '../../lab/gateway.ts';
import type { Namespace } from '../../lab/namespace.ts';

export type Spec = {
  readonly uplinks?: Record<string, unknown>;
  readonly networks?: Record<string, unknown>;
  readonly workloads?: Record<string, unknown>;
};

/** A workload in a named namespace, on its networks. */
export function workload(namespace: Namespace, networks: Record<string, unknown>): Record<string, unknown> {
  return { sandbox: { netns: namespace.name }, networks };
}

export function documentText(version: number, spec: Spec): string {
  return JSON.stringify({ v: 1, version, spec });
}

let files = 0;

/** The exact text as a file of the gateway's folder, through `linkspan apply`; a failure is in the result's `code`. */
export async function applyText(gateway: Gateway, text: string, ...flags: readonly string[]): Promise<RunResult> {
  files += 1;
  const file = await gateway.write(`document-${files}.json`, text);
  return gateway.cli('apply', '-f', file, ...flags);
}

/** Applies a document and waits until the service says that it stands; throws where it does not. */
export async function apply(gateway: Gateway, version: number, spec: Spec): Promise<void> {
  const { code, stdout, stderr } = await applyText(gateway, documentText(version, spec), '--wait', '40');
  if (code !== 0) throw new Error(`apply of version ${version}: exit ${code}\n${stdout}${stderr}\n${gateway.log()}`);
}

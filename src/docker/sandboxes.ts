import type { Endpoint, Sandbox } from '../model/network.ts';
import type { Container } from './container.ts';

/**
 * The document's endpoints with each container's sandbox in the place of its name, where it runs. One that has no network
 * of its own but the host's has no sandbox: the host's interfaces are nobody's workload.
 */
export function withSandboxes(
  endpoints: readonly Endpoint[],
  named: (name: string) => Container | undefined,
): readonly Endpoint[] {
  return endpoints.map((endpoint) => {
    const { sandbox } = endpoint;
    const found = sandbox.kind === 'container' ? named(sandbox.name) : undefined;
    return found === undefined || found.onHost ? endpoint : Object.assign({}, endpoint, { sandbox: placeOf(found) });
  });
}

function placeOf({ sandbox }: Container): Sandbox {
  return { kind: 'path', path: sandbox };
}

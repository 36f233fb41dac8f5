import { createServer } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { DockerNode } from '../../lab/dockerd-node.ts';
import type { Lab } from '../../lab/lab.ts';

export type Call = { readonly path: string; readonly host: string | undefined; readonly body: Record<string, unknown> };

const ANSWERS: Record<string, unknown> = {
  '/Plugin.Activate': { Implements: ['NetworkDriver'] },
  '/NetworkDriver.GetCapabilities': { Scope: 'local', ConnectivityScope: 'global', GwAllocChecker: true },
  '/NetworkDriver.GwAllocCheck': { SkipIPv4: true, SkipIPv6: true },
  '/NetworkDriver.Join': { InterfaceName: { SrcName: '', DstPrefix: 'eth' }, DisableGatewayService: true },
  '/NetworkDriver.EndpointOperInfo': { Value: {} },
};

/** A network driver that connects nothing, called `name`, where a node's dockerd looks for it; keeps what it is asked. */
export async function recordingDriver(lab: Lab, node: DockerNode, name: string): Promise<readonly Call[]> {
  const calls: Call[] = [];
  const answer = (path: string, host: string | undefined, body: unknown): string => {
    calls.push({ path, host, body: body as Call['body'] });
    return JSON.stringify(ANSWERS[path] ?? {});
  };
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request;
    // Some calls have no body at all.
    const body = json(request).catch(() => ({}));
    void body.then((content) => response.end(answer(path, headers.host, content)));
  });
  await new Promise<void>((resolve) => server.listen(join(node.plugins, `${name}.sock`), resolve));
  lab.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return calls;
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineName } from '../../lab/docker-engines.ts';
import { Dockerd, type DockerdOptions } from '../../lab/dockerd.ts';
import { DockerNode } from '../../lab/dockerd-node.ts';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';

/** A gateway with Docker on it: linkspand and dockerd beside each other, as on a real one. */
export type DockerSite = {
  readonly node: DockerNode;
  readonly dockerd: Dockerd;
  /** the linkspand that runs now */
  readonly gateway: () => Gateway;
  /** starts linkspand again, after a stop or a kill */
  readonly restart: () => Promise<Gateway>;
};

export type DockerSiteOptions = {
  readonly namespace: Namespace;
  readonly engine?: EngineName;
  readonly dockerArgs?: DockerdOptions['args'];
  /** the bootstrap file's keys */
  readonly config: Record<string, unknown>;
};

export async function dockerSite(lab: Lab, options: DockerSiteOptions): Promise<DockerSite> {
  const node = await DockerNode.create(lab, options.namespace);
  const dir = join(node.folder, 'linkspan');
  await mkdir(dir);
  const config = {
    ...options.config,
    docker: { pluginSocket: '/run/docker/plugins/linkspan.sock', engineSocket: '/run/docker.sock' },
  };
  const start = (): Promise<Gateway> => startGateway(lab, { namespace: node, config, dir });
  let gateway = await start();
  const dockerd = await Dockerd.start(node, {
    engine: options.engine ?? 'bookworm',
    ...(options.dockerArgs && { args: options.dockerArgs }),
  });
  return {
    node,
    dockerd,
    gateway: () => gateway,
    restart: async () => {
      gateway = await start();
      return gateway;
    },
  };
}

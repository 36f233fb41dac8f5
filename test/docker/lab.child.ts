// A lab with a dockerd and a container that is never closed: prints its folder and its processes as JSON, and waits to be killed.
import type { EngineName } from '../lab/docker-engines.ts';
import { Dockerd } from '../lab/dockerd.ts';
import { DockerNode } from '../lab/dockerd-node.ts';
import { Lab } from '../lab/lab.ts';
import { processesIn } from './support/leftovers.ts';

const lab = new Lab();
const namespace = await lab.namespace('orphan');
const node = await DockerNode.create(lab, namespace);
const docker = await Dockerd.start(node, { engine: process.argv[2] as EngineName });
await docker.docker('run', '-d', '--name', 'c1', 'busybox', 'sleep', '1000');
const container = Number(await docker.docker('inspect', '--format', '{{.State.Pid}}', 'c1'));
const pids = [...(await processesIn(namespace.name)), container];
process.stdout.write(`${JSON.stringify({ folder: node.folder, pids })}\n`);
setInterval(() => undefined, 60_000);

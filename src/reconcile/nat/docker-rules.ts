import type { ObservedDocker } from '../../host/docker-user.ts';

const OURS = 'lsb-+';

/**
 * The packets that Docker shall leave to our own rules; without this it drops all that it does not know, even those
 * within one of our networks. Into Docker's own networks it decides itself, so ours may go out by the named interfaces
 * only: those of the host that Docker did not make.
 * @param devices the host's own interfaces with an address of the family
 * @returns matches, as `syncDockerUser` takes them; undefined Docker has none
 */
export function dockerRules(docker: ObservedDocker | undefined, devices: readonly string[]): readonly string[] {
  if (docker === undefined) return [];
  const out = devices.filter((name) => !docker.bridges.has(name));
  return [`-o ${OURS}`, ...out.map((name) => `-i ${OURS} -o ${name}`)];
}

import type { Appliance } from '../../lab/image/appliance.ts';

/** Makes the gateway's own busybox an image named "busybox": there is no registry to pull one from. */
export async function importBusybox(gateway: Appliance): Promise<void> {
  await gateway.sh(`
    mkdir -p /run/lab-image/bin
    cp /usr/bin/busybox /run/lab-image/bin/
    for applet in sh sleep ping ip; do ln -sf busybox /run/lab-image/bin/$applet; done
    tar -c -C /run/lab-image . | docker import - busybox
    rm -r /run/lab-image`);
}

/** Docker's side of a network of the document, in which a container may ask for an address. */
export async function joinNetwork(gateway: Appliance, network: string, subnet: string): Promise<void> {
  const addresses = ['--ipam-driver', 'linkspan', '--ipam-opt', `network=${network}`, '--subnet', subnet];
  await gateway.run([
    'docker',
    'network',
    'create',
    '-d',
    'linkspan',
    '-o',
    `network=${network}`,
    ...addresses,
    network,
  ]);
}

/** A container of it that does nothing until it is ended, and starts with the gateway. */
export async function runContainer(gateway: Appliance, name: string, ...args: readonly string[]): Promise<void> {
  const command = ['docker', 'run', '-d', '--restart', 'always', '--name', name, ...args, 'busybox', 'sleep', '100000'];
  await gateway.run(command, { timeoutS: 120 });
}

/** Whether an address answers one ping of the container within two seconds. */
export async function containerReaches(gateway: Appliance, container: string, address: string): Promise<boolean> {
  const ping = ['docker', 'exec', container, 'ping', '-c1', '-W2', address];
  return (await gateway.run(ping, { allowFailure: true })).code === 0;
}

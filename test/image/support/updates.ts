import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Appliance } from '../../lab/image/appliance.ts';
import { type Bundle, type BundleName, bundle, SHELF } from '../../lab/image/bundles.ts';
import { freePorts } from '../../lab/image/free-ports.ts';
import type { BuiltImage } from '../../lab/image/image.ts';
import type { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { OFFICE, type Office } from './office.ts';

/** An answer costs an emulated gateway time that it needs for what is waited for. */
const POLL_MS = 300;

export type Firmware = {
  readonly version: string;
  readonly slot: string;
  readonly state: string;
  readonly target_version: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
};

/** The update's way: from a web server of the office, by the operator's document, into the gateway. */
export class Updates {
  readonly #office: Office;
  readonly #name: string;
  readonly #image: BuiltImage;
  readonly #shelf: string;
  readonly #spec: Record<string, unknown>;
  #version: number;

  private constructor(office: Office, options: UpdatesOptions, shelf: string) {
    this.#office = office;
    this.#name = options.name;
    this.#image = options.image;
    this.#version = options.version ?? 0;
    this.#spec = options.spec ?? {};
    this.#shelf = shelf;
  }

  static async open(lab: Lab, office: Office, options: UpdatesOptions): Promise<Updates> {
    const [port = 0] = await freePorts(1);
    await mkdir(SHELF, { recursive: true });
    const server = ['busybox', 'httpd', '-f', '-p', `127.0.0.1:${port}`, '-h', SHELF];
    await lab.process({ inside: (argv) => argv }, server);
    return new Updates(office, options, `http://${OFFICE}:${port}`);
  }

  async url(name: BundleName): Promise<{ readonly url: string; readonly bundle: Bundle }> {
    const made = await bundle(this.#image, name);
    return { url: `${this.#shelf}/${made.name}`, bundle: made };
  }

  /** The operator asks for it; returns its version. */
  async order(name: BundleName, activate: 'manual' | 'at_once' = 'at_once'): Promise<string> {
    const { url, bundle: made } = await this.url(name);
    await this.#publish({ firmware: { url, version: made.version, activate } });
    return made.version;
  }

  /** The operator asks for none any more. */
  async withdraw(): Promise<void> {
    await this.#publish({});
  }

  #publish(more: Record<string, unknown>): Promise<void> {
    this.#version += 1;
    const document = { v: 1, version: this.#version, spec: { ...this.#spec, ...more } };
    return this.#office.operator.publishDesired(this.#name, JSON.stringify(document));
  }
}

export type UpdatesOptions = {
  readonly name: string;
  readonly image: BuiltImage;
  /** of the last document */
  readonly version?: number;
  /** what the documents hold beside the firmware */
  readonly spec?: Record<string, unknown>;
};

export async function firmwareOf(gateway: Appliance): Promise<Firmware> {
  const { firmware } = (await gateway.status()) as unknown as { firmware: Firmware };
  return firmware;
}

/** Waits until the gateway tells one of these states, of `version` where it is given, over however many restarts. */
export function firmwareIs(
  gateway: Appliance,
  states: readonly string[],
  timeoutMs: number,
  version?: string,
): Promise<Firmware> {
  return until(
    `firmware ${states.join(' or ')}`,
    async () => {
      const firmware = await firmwareOf(gateway);
      const isMeant = version === undefined || firmware.target_version === version;
      if (isMeant && states.includes(firmware.state)) return firmware;
      await sleep(POLL_MS);
      throw new Error(JSON.stringify(firmware));
    },
    timeoutMs,
  );
}

import { connect } from 'node:net';
import { join } from 'node:path';
import { MqttClient } from 'mqtt';
import type { Lab } from '../../lab/lab.ts';
import { Mosquitto } from '../../lab/mosquitto.ts';
import type { Place } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';

const PREFIX = 'linkspan/v1/plant';

/** An operator's view of the broker: publishes documents and sees every retained topic of the fleet. */
export class Operator {
  readonly #client: MqttClient;
  readonly #seen = new Map<string, string>();
  #asked = 0;

  private constructor(path: string) {
    // The broker listens inside a namespace; a unix socket is reached from anywhere.
    this.#client = new MqttClient(() => connect(path), { clean: true, reconnectPeriod: 200, resubscribe: true });
    this.#client.on('error', () => undefined);
    this.#client.on('connect', () => this.#client.subscribe(`${PREFIX}/#`, { qos: 1 }));
    this.#client.on('message', (topic, payload) => {
      if (payload.length === 0) this.#seen.delete(topic);
      else this.#seen.set(topic, payload.toString());
    });
  }

  static async start(lab: Lab, path: string): Promise<Operator> {
    const operator = new Operator(path);
    lab.defer(() => operator.#client.endAsync(true));
    await until(`the operator's connection to ${path}`, () => operator.#client.connected);
    return operator;
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  /** Forgets what was seen, so that only what comes from now on counts. */
  forget(): void {
    this.#seen.clear();
  }

  /** The last payload of a topic below the fleet, parsed; undefined where there is none. */
  topic(name: string): Record<string, unknown> | undefined {
    const text = this.#seen.get(`${PREFIX}/${name}`);
    return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
  }

  /** Says something in another gateway's name: a record's topic below the fleet, and its body but for what all have. */
  async forge(name: string, body: Record<string, unknown>): Promise<void> {
    const payload = JSON.stringify({ v: 1, epoch: 1, seq: 1, fleet: 'plant', iat: 1, exp: 2, ...body });
    await this.#client.publishAsync(`${PREFIX}/${name}`, payload, { qos: 1, retain: true });
  }

  async publishDesired(gateway: string, text: string): Promise<void> {
    await this.#client.publishAsync(`${PREFIX}/gw/${gateway}/desired`, text, { qos: 1, retain: true });
  }

  /** Asks a gateway over the broker, and waits for its answer. */
  async ask(gateway: string, method: string, params: object = {}): Promise<Record<string, unknown>> {
    this.#asked += 1;
    const id = `r${this.#asked}`;
    const request = JSON.stringify({ method, params });
    await this.#client.publishAsync(`${PREFIX}/gw/${gateway}/rpc/req/${id}`, request, { qos: 1 });
    let answer: Record<string, unknown> | undefined;
    await until(`${gateway} to answer ${method}`, () => {
      answer = this.topic(`gw/${gateway}/rpc/res/${id}`);
      return answer !== undefined;
    });
    return answer ?? {};
  }

  /** Publishes to a retained topic below the fleet; undefined: forgets it. */
  async publish(name: string, value: object | undefined): Promise<void> {
    const text = value === undefined ? '' : JSON.stringify(value);
    await this.#client.publishAsync(`${PREFIX}/${name}`, text, { qos: 1, retain: true });
  }

  /** Publishes a document and waits for the gateway's report that it is applied. */
  async apply(gateway: string, text: string, timeoutMs = 10_000): Promise<void> {
    const { version } = JSON.parse(text) as { version: number };
    await this.publishDesired(gateway, text);
    await until(
      `${gateway} to report version ${version} as applied`,
      () => {
        const reported = this.topic(`gw/${gateway}/reported`);
        if (reported?.['state'] === 'applied' && reported['applied_version'] === version) return true;
        throw new Error(JSON.stringify(reported));
      },
      timeoutMs,
    );
  }
}

export type FleetBroker = { readonly broker: Mosquitto; readonly operator: Operator };

/** A mosquitto at `address`, port 1883 or that one, in the namespace, and an operator at its second, unix listener. */
export async function startBroker(lab: Lab, namespace: Place, address: string, port = 1883): Promise<FleetBroker> {
  const path = join(await lab.folder(), 'mqtt.sock');
  const extra = [`listener 0 ${path}`];
  const broker = await Mosquitto.start(lab, { namespace, address, port, extra });
  return { broker, operator: await Operator.start(lab, path) };
}

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asFields, asText } from '../model/fields.ts';
import { MAX_PAYLOAD } from '../peers/parse.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { isEnvelope, isSignedBy, parseEnvelope, seal } from './envelope.ts';
import type { SigningKey } from './key.ts';
import { isThere, makeKeyFile, readKeyFile } from './key-file.ts';
import { encodeTrustRecord, parseTrustRecord, type TrustRecord } from './trust-record.ts';

/** The retained bytes of one topic. */
export type Statement = { readonly topic: string; readonly payload: Buffer };

export type FleetDirectoryOptions = {
  readonly directory: string;
  /** the topic of a gateway's trust record */
  readonly topicOf: (fleet: string, gw: string) => string;
  /** seconds since 1970 */
  readonly now: number;
};

const KEY = 'fleet.key';
const NAME = 'fleet.json';
const FLEET = /^[\w.-]{1,63}$/;
const GATEWAY_FILE = /^([a-z0-9-]{1,63})\.json$/;

/**
 * What the owner of a fleet keeps, and no gateway: `fleet.key`, the key that vouches for gateways, and
 * `gateways/<gw>.json`, the payload of the last trust record of each.
 */
export class FleetDirectory {
  readonly fleet: string;
  readonly key: SigningKey;
  readonly #options: FleetDirectoryOptions;

  private constructor(options: FleetDirectoryOptions, fleet: string, key: SigningKey) {
    [this.#options, this.fleet, this.key] = [options, fleet, key];
  }

  /** Makes a fleet's key; never over another. @throws LinkspanError `bad_fleet` */
  static make(options: FleetDirectoryOptions, fleet: string): FleetDirectory {
    const { directory } = options;
    if (!FLEET.test(fleet)) broken(`--fleet ${fleet}`, 'is no name', 'give letters, digits, dots, dashes, underscores');
    try {
      mkdirSync(join(directory, 'gateways'), { recursive: true, mode: 0o700 });
      const key = makeKeyFile(join(directory, KEY));
      writeFileSync(join(directory, NAME), `${JSON.stringify({ fleet, key: key.public.text })}\n`);
      return new FleetDirectory(options, fleet, key);
    } catch (error) {
      if (!isThere(error)) return broken(directory, messageOf(error), 'give another with --dir', error);
      return broken(join(directory, KEY), 'is there already', 'use it, or give another directory with --dir');
    }
  }

  /** @throws LinkspanError `bad_fleet` or `bad_key` */
  static open(options: FleetDirectoryOptions): FleetDirectory {
    const { directory } = options;
    const remedy = 'give the one that `linkspan fleet init` made, with --dir';
    try {
      const fields = asFields(NAME, JSON.parse(readFileSync(join(directory, NAME), 'utf8')));
      return new FleetDirectory(options, asText('fleet', fields['fleet'], FLEET), readKeyFile(join(directory, KEY)));
    } catch (error) {
      if (error instanceof LinkspanError && error.code === 'bad_key') throw error;
      return broken(directory, `is no fleet's directory (${messageOf(error)})`, remedy, error);
    }
  }

  /** Signs a new trust record of the gateway, above the one before; kept here, and to be published. */
  grant(gw: string, grant: TrustRecord['grant']): Statement {
    const { now } = this.#options;
    // by the clock, so that a directory whose records were lost goes on above them
    const serial = Math.max(now, (this.#lastSerial(gw) ?? 0) + 1);
    const statement = this.seal(this.#topic(gw), encodeTrustRecord({ fleet: this.fleet, gw, serial, iat: now, grant }));
    const file = this.#file(gw);
    writeFileSync(`${file}.new`, statement.payload);
    renameSync(`${file}.new`, file);
    return statement;
  }

  /** The last trust record of each gateway, for a broker that has lost or older ones. */
  statements(): readonly Statement[] {
    return readdirSync(join(this.#options.directory, 'gateways')).flatMap((name) => {
      const gw = GATEWAY_FILE.exec(name)?.[1];
      return gw === undefined ? [] : [{ topic: this.#topic(gw), payload: readFileSync(this.#file(gw)) }];
    });
  }

  seal(topic: string, payload: Buffer): Statement {
    return { topic, payload: seal(this.key, topic, payload) };
  }

  #topic(gw: string): string {
    return this.#options.topicOf(this.fleet, gw);
  }

  #file(gw: string): string {
    return join(this.#options.directory, 'gateways', `${gw}.json`);
  }

  #lastSerial(gw: string): number | undefined {
    const found = this.statements().find(({ topic }) => topic === this.#topic(gw));
    if (found === undefined) return undefined;
    const envelope = parseEnvelope(found.payload, MAX_PAYLOAD);
    const isOurs = isEnvelope(envelope) && isSignedBy(this.key.public, found.topic, envelope);
    const parsed = isOurs ? parseTrustRecord(envelope.payload, { fleet: this.fleet, gw }) : undefined;
    if (parsed?.ok) return parsed.value.serial;
    return broken(this.#file(gw), 'is no record of this fleet', 'move it away, and enrol or revoke the gateway again');
  }
}

function broken(object: string, reason: string, remedy: string, cause?: unknown): never {
  throw new LinkspanError({ code: 'bad_fleet', object, reason, remedy, cause });
}

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import convict from 'convict';
import { parse } from 'yaml';
import { dnsLabel } from '../model/text.ts';
import { BOOTSTRAP_KEYS, environmentName, type BootstrapKey } from './bootstrap-keys.ts';
import { LinkspanError } from './errors.ts';
import type { LogFormat, LogLevel } from './log.ts';

export { parseListen } from './bootstrap-keys.ts';

/** What linkspand must know before it can be told anything else; the keys are those of the bootstrap file. */
export type Bootstrap = {
  readonly gateway: string;
  readonly fleet: string;
  /** `address` is empty where the source address of the default route is to be taken */
  readonly underlay: { readonly address: string; readonly port: number };
  readonly mqtt: {
    /** empty: the embedded broker */
    readonly url: string;
    /** `cert` empty: without TLS; `ca` empty: clients need no certificate */
    readonly embedded: { readonly listen: string; readonly cert: string; readonly key: string; readonly ca: string };
    readonly username: string;
    /** a path: the secret itself is read only where it is used */
    readonly passwordFile: string;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
  };
  readonly state: { readonly path: string };
  readonly trust: {
    /** empty: beside the state file */
    readonly key: string;
    /** empty: none */
    readonly fleetKey: string;
    readonly policy: 'auto' | 'require' | 'warn' | 'off';
  };
  readonly control: { readonly socket: string };
  readonly datapath: {
    readonly engine: 'auto' | 'kernel' | 'user';
    readonly workers: 'auto' | 'one' | 'two';
    readonly socket: string;
  };
  /** empty: off */
  readonly names: { readonly resolvConf: string };
  readonly status: { readonly listen: string };
  /** empty: off */
  readonly docker: { readonly pluginSocket: string; readonly engineSocket: string };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
};

export type BootstrapSources = {
  /** YAML or JSON; none: the other sources only */
  readonly file?: string;
  readonly env: NodeJS.ProcessEnv;
  /** by key, e.g. `{ 'status.listen': '127.0.0.1:9000' }` */
  readonly flags: Readonly<Record<string, string>>;
};

type Tree = { [name: string]: unknown };

/**
 * Reads the bootstrap configuration: flags over environment over file over default.
 *
 * @throws LinkspanError `bad_configuration` that names each wrong key and where its value came from, but never a
 *   value: it may be a secret that strayed into the wrong key
 */
export function loadBootstrap(sources: BootstrapSources): Bootstrap {
  const file = treeOf(sources);
  const config = convict(schema(), { env: sources.env, args: [] }).load(file);
  for (const [key, value] of Object.entries(sources.flags)) {
    if (!Object.hasOwn(BOOTSTRAP_KEYS, key)) throw bad(key, `flag --${key}`, 'there is no such key');
    config.set(key, value);
  }
  try {
    config.validate({ allowed: 'strict' });
  } catch (error) {
    throw invalid(String(error instanceof Error ? error.message : error), sources, file);
  }
  const bootstrap = config.getProperties() as unknown as Bootstrap;
  requireKeyPair(bootstrap, sources, file);
  requireFleetKey(bootstrap, sources, file);
  return bootstrap;
}

/** What the file says and something else decides: a line for each such key, without its value. */
export function overruled(sources: BootstrapSources): readonly string[] {
  const file = treeOf(sources);
  return Object.keys(BOOTSTRAP_KEYS)
    .filter((key) => valueAt(key, file) !== undefined)
    .map((key) => [key, sourceOf(key, sources, file)] as const)
    .filter(([, source]) => source !== `file ${sources.file}`)
    .map(([key, source]) => `${key} of file ${sources.file} does not count: ${source} does`);
}

/** The keys with their environment names, defaults and meanings, for `--help`. */
export function describeBootstrap(): string {
  return Object.entries(BOOTSTRAP_KEYS)
    .map(([key, { default: value, doc }]) => {
      const otherwise = key === 'gateway' || value === '' ? '' : ` (default: ${value})`;
      return `  ${key}\n      ${doc}${otherwise}\n      ${environmentName(key)}`;
    })
    .join('\n');
}

/** The host name as a gateway's name: its first label, lower-case, other characters as dashes. */
export function gatewayNameOf(host: string): string {
  return dnsLabel(host.split('.')[0] ?? '') || 'gateway';
}

function schema(): convict.Schema<Tree> {
  const root: Tree = {};
  for (const [key, entry] of Object.entries(BOOTSTRAP_KEYS)) setAt(root, key.split('.'), leaf(key, entry));
  return root as convict.Schema<Tree>;
}

function leaf(key: string, { default: value, doc, format }: BootstrapKey): convict.SchemaObj {
  const name = `linkspan ${key}`;
  const validate = (given: unknown): void => {
    if (!format.valid(given)) throw new Error(`must be ${format.expected}`);
  };
  convict.addFormat({ name, validate, coerce: format.coerce ?? ((given: string) => given) });
  const fallback = key === 'gateway' ? gatewayNameOf(hostname()) : value;
  // "sensitive" keeps convict from quoting values in its messages.
  return { default: fallback, doc, format: name, env: environmentName(key), sensitive: true };
}

function setAt(root: Tree, path: readonly string[], value: unknown): void {
  const [head = '', ...rest] = path;
  if (rest.length === 0) root[head] = value;
  else setAt((root[head] ??= {}) as Tree, rest, value);
}

function treeOf({ file }: BootstrapSources): Tree {
  return file === undefined ? {} : known(readTree(file), file);
}

function valueAt(key: string, tree: Tree): unknown {
  return key.split('.').reduce<unknown>((at, name) => (isTree(at) ? at[name] : undefined), tree);
}

function readTree(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // The first line only: the ones after it quote the file.
    const reason = String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
    throw new LinkspanError({
      code: 'bad_configuration',
      object: file,
      reason: `cannot be read as YAML or JSON (${reason})`,
      remedy: 'correct the file, or name another with --config',
      cause: undefined,
    });
  }
}

/** The part of the tree that is given: nothing where YAML says null (`ca:`), an error where a key is unknown. */
function known(value: unknown, file: string, prefix = ''): Tree {
  if (value === null || value === undefined) return {};
  if (!isTree(value)) throw bad(prefix || 'the whole', `file ${file}`, 'must be a mapping of keys');
  const result: Tree = {};
  for (const [name, inner] of Object.entries(value)) {
    const key = prefix ? `${prefix}.${name}` : name;
    if (name.includes('.') || !isKnown(key)) throw bad(key, `file ${file}`, 'there is no such key');
    if (!Object.hasOwn(BOOTSTRAP_KEYS, key)) result[name] = known(inner, file, key);
    else if (inner !== null) result[name] = inner;
  }
  return result;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isKnown(key: string): boolean {
  return Object.keys(BOOTSTRAP_KEYS).some((each) => each === key || each.startsWith(`${key}.`));
}

/** Convict reports one line a key: `status.listen: must be …`. */
function invalid(report: string, sources: BootstrapSources, file: Tree): LinkspanError {
  const wrong = report.split('\n').map((line) => {
    const [, key = '', reason = line] = /^([\w.]+): (.*)$/.exec(line) ?? [];
    return { key, reason: reason, source: sourceOf(key, sources, file) };
  });
  const [first] = wrong;
  if (first && wrong.length === 1) return bad(first.key, first.source, first.reason);
  return new LinkspanError({
    code: 'bad_configuration',
    object: wrong.map(({ key }) => key).join(', '),
    reason: wrong.map(({ key, reason, source }) => `${key} ${reason} (from ${source})`).join('; '),
    remedy: 'correct them there',
  });
}

function sourceOf(key: string, { flags, env, file: path }: BootstrapSources, file: Tree): string {
  if (Object.hasOwn(flags, key)) return `flag --${key}`;
  if (env[environmentName(key)] !== undefined) return `environment ${environmentName(key)}`;
  return valueAt(key, file) === undefined ? 'the default' : `file ${path}`;
}

function requireKeyPair({ mqtt }: Bootstrap, sources: BootstrapSources, file: Tree): void {
  const pairs = { mqtt, 'mqtt.embedded': mqtt.embedded };
  const needs = (given: string, missing: string): LinkspanError =>
    bad(given, sourceOf(given, sources, file), `needs ${missing} beside it`);
  for (const [prefix, { cert, key }] of Object.entries(pairs)) {
    if (cert === '' && key !== '') throw needs(`${prefix}.key`, `${prefix}.cert`);
    if (cert !== '' && key === '') throw needs(`${prefix}.cert`, `${prefix}.key`);
  }
  if (mqtt.embedded.ca !== '' && mqtt.embedded.cert === '') throw needs('mqtt.embedded.ca', 'mqtt.embedded.cert');
}

function requireFleetKey({ trust }: Bootstrap, sources: BootstrapSources, file: Tree): void {
  if (trust.fleetKey !== '' || trust.policy === 'auto' || trust.policy === 'off') return;
  throw bad('trust.policy', sourceOf('trust.policy', sources, file), 'needs trust.fleetKey beside it');
}

function bad(key: string, source: string, reason: string): LinkspanError {
  return new LinkspanError({
    code: 'bad_configuration',
    object: key,
    reason: `${reason} (from ${source})`,
    remedy: `correct ${source}; \`linkspand --help\` lists the keys`,
  });
}

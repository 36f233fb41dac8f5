// The demo: two sites on this machine, shown step by step. See scripts/demo --help.
import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tour } from './demo-explore.ts';
import { endKept, register } from './demo-keep.ts';
import { Report } from './demo-report.ts';
import { BROKER, buildScene, FLEET, type Scene } from './demo-scene.ts';
import { type Pages, show } from './demo-steps.ts';
import { Lab } from './lab.ts';

const USAGE = `Usage: scripts/demo [--json] [--keep]    (as root)
       scripts/demo --end

Joins two sites on this machine, in network namespaces of its own, shows what works, and cleans up.
  --keep   leave it running and print commands to explore it
  --end    end every demo that was left running
  --json   print one JSON object with each check and the addresses, and nothing else
`;

const OPTIONS = {
  keep: { type: 'boolean' },
  end: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  // The part of --keep that stays; internal.
  hold: { type: 'boolean' },
} as const;

type Options = { readonly json: boolean; readonly hold: boolean };

/** Resolves with the exit code at the first ctrl-C or SIGTERM. */
const signalled = new Promise<number>((resolve) => {
  process.once('SIGINT', () => resolve(130));
  process.once('SIGTERM', () => resolve(143));
});

/** Shows everything; with `hold` then says so to its parent and stays until it is told to end. Returns the exit code. */
async function demo({ json, hold }: Options): Promise<number> {
  const lab = new Lab();
  const report = new Report(json);
  try {
    const run = shown(lab, report, { json, hold });
    run.catch(() => undefined);
    void signalled.then(() => report.mute());
    const code = await Promise.race([run, signalled]);
    if (code !== 0 || !hold) return code;
    const unregister = await register();
    process.send?.('kept');
    await signalled;
    await unregister();
    return 0;
  } finally {
    await lab.close();
  }
}

async function shown(lab: Lab, report: Report, { hold }: Options): Promise<number> {
  const since = performance.now();
  const seconds = (): number => Math.round((performance.now() - since) / 100) / 10;
  const pages: Pages = {};
  const addresses = { broker: BROKER, fleet: FLEET, pages };
  report.line('Linkspan: two sites, one layer-2 network, an engine of each kind.\n');
  const scene = await buildScene(lab);
  try {
    await show(lab, scene, report, pages);
  } catch (error) {
    if (report.muted) return 1;
    // A failed step has been printed; what failed between two steps has not.
    if (report.checks.every(({ ok }) => ok)) report.line(`✗ ${String(error)}`);
    const logs = await keepLogs(scene);
    report.line(`    logs:     ${logs}`);
    report.finish({ ok: false, seconds: seconds(), addresses, logs, error: String(error) });
    return 1;
  }
  const kept = hold ? tour(scene, pages) : [];
  report.line(`\n${report.checks.length} checks passed in ${seconds()} s${hold ? '' : '; cleaning up'}`);
  for (const line of kept) report.line(line);
  report.finish({ ok: true, seconds: seconds(), addresses, ...(hold && { explore: kept }) });
  return 0;
}

/** Saves what the gateways wrote, in a folder that stays. */
async function keepLogs({ gateways, names }: Scene): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'linkspan-demo-'));
  for (const site of ['a', 'b'] as const) {
    await writeFile(join(folder, `${names[site]}.log`), gateways[site]?.log() ?? 'was not started\n');
  }
  return folder;
}

/** Runs the demo in a process of its own, and leaves it behind once it says that all is well. */
function keep(json: boolean): Promise<number> {
  const argv = [import.meta.filename, '--hold', ...(json ? ['--json'] : [])];
  const child = spawn(process.execPath, argv, { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  // Relayed, not inherited: whoever waits for this output's end must not wait for the demo's.
  child.stdout?.pipe(process.stdout, { end: false });
  child.stderr?.pipe(process.stderr, { end: false });
  void signalled.then(() => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', () => resolve(0));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function readOptions(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] | undefined {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const values = readOptions();
  if (!values) return 2;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('demo: network namespaces need root; run it with sudo\n');
    return 1;
  }
  if (values.end) {
    const ended = await endKept();
    process.stdout.write(
      ended.length === 0 ? 'no demo is running\n' : `ended and cleaned up: demo ${ended.join(', ')}\n`,
    );
    return 0;
  }
  if (values.keep) return await keep(values.json ?? false);
  return await demo({ json: values.json ?? false, hold: values.hold ?? false });
}

const code = await main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
process.exit(code);

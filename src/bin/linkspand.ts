#!/usr/bin/env node
import { fail, type Program, readArguments } from './arguments.ts';

const USAGE = `Usage: linkspand --config FILE [--check | --cleanup] [--KEY VALUE]...

Runs the gateway's control service.
  --config FILE   the bootstrap file, YAML or JSON
  --check         validate the configuration, touch nothing
  --cleanup       remove every link, rule and route of Linkspan's; stop the service first
  --version       print the version
  --help          print this

Each key of the bootstrap file is also a flag and an environment variable; flags come first, then the environment,
then the file:
`;

const PROGRAM: Program<'check' | 'cleanup'> = { name: 'linkspand', usage: USAGE, modes: ['check', 'cleanup'] };

try {
  const { mode, bootstrap, overruled } = readArguments(PROGRAM, process.argv.slice(2));
  const valid = `configuration of gateway ${bootstrap.gateway} is valid`;
  if (mode === 'check') process.stdout.write(`${[valid, ...overruled].join('\n')}\n`);
  // Each mode loads only what it needs: to check a configuration, most of the service would be read for nothing.
  else if (mode === 'cleanup') process.exitCode = await (await import('./cleanup.ts')).cleanup(bootstrap);
  else await (await import('./serve.ts')).serve(bootstrap);
} catch (error) {
  fail(PROGRAM.name, error);
}

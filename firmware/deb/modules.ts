import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { buildRawSocket } from '../../scripts/raw-socket.ts';
import type { Architecture } from './architecture.ts';

const FOR_PRODUCTION = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/** The node_modules for an architecture, as the lock has them: this checkout's own, or those in a folder of their own. */
export function modulesFor({ npm }: Architecture, folder: string): string {
  if (npm === process.arch) return 'node_modules';
  const modules = `${folder}/node_modules`;
  if (!isCurrent(folder)) {
    mkdirSync(folder, { recursive: true });
    for (const name of ['package.json', '.npmrc']) copyFileSync(name, `${folder}/${name}`);
    copyFileSync('package-lock.json', `${folder}/package-lock.json`);
    const platform = [`--cpu=${npm}`, '--os=linux', '--libc=glibc'];
    // An inherited nodedir means another Node's headers.
    const { npm_config_nodedir: _, NPM_CONFIG_NODEDIR: __, ...env } = process.env;
    execFileSync('npm', ['ci', ...FOR_PRODUCTION, ...platform], { cwd: folder, env, stdio: ['ignore', 2, 2] });
    copyFileSync('package-lock.json', `${modules}/.linkspan-lock`);
  }
  return modules;
}

/** Builds raw-socket's native part for an architecture; always anew, since one that lies there tells not by what. */
export function rawSocketFor({ npm, triplet }: Architecture, modules: string, file: string): string {
  if (!buildRawSocket(modules, npm, `${triplet}-g++`, file))
    throw new Error(`raw-socket could not be built by ${triplet}-g++`);
  return file;
}

/** Whether it was filled, to its end, by this lock. */
function isCurrent(folder: string): boolean {
  const stamp = `${folder}/node_modules/.linkspan-lock`;
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === readFileSync('package-lock.json', 'utf8');
}

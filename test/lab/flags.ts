import { readFileSync } from 'node:fs';

const flagsOf = (name: string): readonly string[] =>
  readFileSync(new URL(`../../systemd/${name}`, import.meta.url), 'utf8')
    .trim()
    .split(' ');

/** V8's flags of the installed services, so that what is tested and measured is what runs. */
export const SERVICE_FLAGS = flagsOf('node-flags');
export const DATAPATH_FLAGS = flagsOf('datapath-flags');

import { execFileSync } from 'node:child_process';
import { VERBS } from '../../src/cli/main.ts';
import { programHelp } from '../../src/cli/help.ts';
import type { Verb } from '../../src/cli/verb.ts';
import { type Page, manPage } from './man.ts';

const BOOTSTRAP = ['/etc/linkspan/linkspan.yaml', 'the bootstrap file'] as const;
const SCHEMA = ['/usr/share/linkspan/desired.schema.json', 'JSON Schema of the desired document'] as const;
const STATE = ['/var/lib/linkspan/linkspan.db', 'the state'] as const;
const SOCKET = ['/run/linkspan/linkspan.sock', 'the control socket: root and the group linkspan may use it'] as const;
const DATAPATH = ['/run/linkspan/datapath.sock', "the datapath's socket"] as const;

type Written = Pick<Page, 'name' | 'section' | 'summary' | 'files' | 'seeAlso'>;

const PAGES: readonly Written[] = [
  {
    name: 'linkspan',
    section: 1,
    summary: 'look at and control the Linkspan service of this gateway',
    files: [SOCKET, SCHEMA],
    seeAlso: ['linkspand(8)', 'linkspan-datapath(8)'],
  },
  {
    name: 'linkspand',
    section: 8,
    summary: 'control service of Linkspan, the network half of an edge gateway',
    files: [BOOTSTRAP, STATE, SOCKET],
    seeAlso: ['linkspan(1)', 'linkspan-datapath(8)', 'systemctl(1)'],
  },
  {
    name: 'linkspan-datapath',
    section: 8,
    summary: 'carry the frames of networks whose engine is "user"',
    files: [BOOTSTRAP, DATAPATH],
    seeAlso: ['linkspan(1)', 'linkspand(8)'],
  },
];

/** The manual pages by their file names. */
export function manualPages(version: string, date: string): ReadonlyMap<string, string> {
  return new Map(
    PAGES.map((page) => [
      `man${page.section}/${page.name}.${page.section}`,
      manPage({ ...page, help: helpOf(page.name), version, date }),
    ]),
  );
}

/** Daemons are asked for their help: it tells all that there is. */
function helpOf(name: string): string {
  if (name === 'linkspan') return commandHelp(VERBS);
  return execFileSync(process.execPath, [`dist/bin/${name}.js`, '--help']).toString();
}

/** The program's help with each command's arguments beside it. */
export function commandHelp(verbs: readonly Verb[]): string {
  return programHelp(verbs.map((verb) => ({ ...verb, name: `${spelled(verb)}  ` })));
}

function spelled({ name, usage }: Verb): string {
  return `${name} ${usage.replaceAll(/\s+/g, ' ')}`.trim();
}

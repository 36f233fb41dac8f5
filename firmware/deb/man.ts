/** What a manual page is made of; `help` is what the program itself says when asked for help. */
export type Page = {
  readonly name: string;
  readonly section: 1 | 8;
  readonly summary: string;
  readonly help: string;
  readonly version: string;
  /** YYYY-MM-DD */
  readonly date: string;
  readonly files: readonly (readonly [path: string, what: string])[];
  readonly seeAlso: readonly string[];
};

/** A manual page in man(7)'s macros. */
export function manPage(page: Page): string {
  const { name, section, version, date, summary, files, seeAlso } = page;
  const lines = page.help.split('\n');
  const synopsis = lines.filter((line) => line.startsWith(USAGE)).map((line) => line.slice(USAGE.length));
  const rest = lines.filter((line) => !line.startsWith(USAGE)).map((line) => line.replace(`${name}: `, ''));
  return [
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} ${section} "${date}" "Linkspan ${version}" "Linkspan"`,
    '.SH NAME',
    `${text(name)} \\- ${text(summary)}`,
    '.SH SYNOPSIS',
    ...synopsis.map((line) => text(line).replace(text(name), bold(name))),
    '.SH DESCRIPTION',
    ...withoutRepeats(rest.flatMap(roff)),
    '.SH FILES',
    ...files.flatMap(([path, what]) => ['.TP', bold(path), text(what)]),
    '.SH SEE ALSO',
    seeAlso.map((other) => text(other)).join(', '),
    '',
  ].join('\n');
}

const USAGE = 'Usage: ';
/** Deeper than this, a line goes on with the one before it; otherwise it stands alone. */
const HANGING = 8;

/** One line of a help text: a heading, a term with or without what it means, or prose. */
function roff(line: string): readonly string[] {
  const [, heading] = /^([A-Z][a-z ]{2,30}):$/.exec(line) ?? [];
  if (heading) return [`.SH ${heading.toUpperCase()}`];
  const [, exits] = /^Exit codes: (.*)$/.exec(line) ?? [];
  if (exits) return ['.SH EXIT STATUS', text(exits)];
  const [, indent = '', term = '', meaning] = /^( *)(.*?)(?: {2,}(.*))?$/.exec(line) ?? [];
  if (term === '') return ['.PP'];
  if (indent.length === 2) return ['.TP', bold(term), ...(meaning === undefined ? [] : [text(meaning)])];
  if (indent.length > HANGING || indent === '') return [text(line.trim())];
  return [text(line.trim()), '.br'];
}

/** No paragraph before a heading or another paragraph, no break before either: man complains of those. */
function withoutRepeats(lines: readonly string[]): readonly string[] {
  return lines.filter((line, at) => {
    const [before = '.SH', next = '.SH'] = [lines[at - 1], lines[at + 1]];
    return (
      !['.PP', '.br'].includes(line) ||
      !(next.startsWith('.SH') || next === '.PP' || next === '.TP' || before.startsWith('.SH'))
    );
  });
}

/** Plain words: a hyphen is one that can be typed, and no line is taken for a request. */
function text(words: string): string {
  const safe = words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq');
  return safe.startsWith('.') ? `\\&${safe}` : safe;
}

function bold(words: string): string {
  return `\\fB${text(words)}\\fR`;
}

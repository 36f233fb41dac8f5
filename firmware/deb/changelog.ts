const WIDTH = 78;
const ENTRY = /^## \[([^\]]+)\] - (.*)$/;

/** Debian's changelog of a package, from CHANGELOG.md: one entry each version, one point each of its points. */
export function debianChangelog(markdown: string, maintainer: string, epoch: number): string {
  const entries: { version: string; date: Date; points: string[] }[] = [];
  for (const block of blocks(markdown)) {
    const [, version, day = ''] = ENTRY.exec(block) ?? [];
    if (version !== undefined) entries.push({ version, date: dateOf(day, epoch), points: [] });
    else if (!block.startsWith('#')) entries.at(-1)?.points.push(plain(block));
  }
  return entries
    .map(({ version, date, points }) => {
      const lines = points.map((point) => wrapped(point)).join('\n');
      return `linkspan (${version}) stable; urgency=medium\n\n${lines}\n\n -- ${maintainer}  ${rfc2822(date)}\n`;
    })
    .join('\n');
}

/** A heading, a point or a paragraph, each on one line. */
function blocks(markdown: string): readonly string[] {
  return markdown
    .split(/\n(?=- |#)|\n{2,}/)
    .map((block) => block.replaceAll(/\s*\n\s*/g, ' ').trim())
    .filter((block) => block !== '');
}

/** Without Markdown's marks: a reader of /usr/share/doc has no other place to follow a link to. */
function plain(block: string): string {
  return block
    .replace(/^- /, '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('`', '');
}

function wrapped(point: string): string {
  const lines: string[] = [];
  let line = '  *';
  for (const word of point.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

function dateOf(day: string, epoch: number): Date {
  return /^\d{4}-\d\d-\d\d$/.test(day) ? new Date(`${day}T00:00:00Z`) : new Date(epoch * 1000);
}

function rfc2822(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}

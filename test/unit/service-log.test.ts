import { spawnSync } from 'node:child_process';
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createLog, type LogOptions } from '../../src/service/log.ts';

function lines(options: Partial<LogOptions>, use: (log: ReturnType<typeof createLog>) => void): string[] {
  const written: string[] = [];
  use(createLog({ level: 'info', format: 'text', env: {}, write: (line) => void written.push(line), ...options }));
  return written;
}

test('messages below the level are not written', () => {
  const written = lines({ level: 'warn' }, (log) => {
    log.error('e');
    log.warn('w');
    log.info('i');
    log.debug('d');
  });
  expect(written).toHaveLength(2);
});

test('text has time, level, message and fields', () => {
  const [line] = lines({}, (log) => log.info('peer up', { gw: 'gw-b', n: 3, reason: 'two words', none: undefined }));
  expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}peer up gw=gw-b n=3 reason="two words"\n$/);
});

test('hostile text forges no line', () => {
  const [line] = lines({ format: 'journal' }, (log) => log.warn('a\n<0>b', { 'f\ni': '\u001b[2J', g: 'x\ny' }));
  expect(line?.match(/\n/g)).toHaveLength(1);
  expect(line).not.toContain('\u001b');
  expect(line?.startsWith('<4>a')).toBe(true);
});

test('JSON takes any value', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const [line = ''] = lines({ format: 'json' }, (log) =>
    log.error('m', { error: new Error('why'), big: 5n, circle, level: 'forged' }),
  );
  expect(JSON.parse(line)).toMatchObject({ level: 'error', message: 'm', error: 'why', big: '5n' });
});

test('auto is the journal only where standard output is the journal itself', () => {
  const directory = mkdtempSync(join(tmpdir(), 'linkspan-log-'));
  const output = openSync(join(directory, 'out'), 'a+');
  const { dev, ino } = fstatSync(output, { bigint: true });
  const code = `import { createLog } from '${new URL('../../src/service/log.ts', import.meta.url).pathname}';
    createLog({ level: 'info', format: 'auto' }).info('hello');`;
  for (const stream of [`${dev}:${ino}`, '1:1']) {
    spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      env: { JOURNAL_STREAM: stream },
      stdio: ['ignore', output, 'inherit'],
    });
  }
  expect(readFileSync(join(directory, 'out'), 'utf8')).toMatch(/^<6>hello\n\d{4}-.* info {2}hello\n$/);
  rmSync(directory, { recursive: true });
});

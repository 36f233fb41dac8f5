import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { keyStamp, readKey } from '../../src/host/wifi/key.ts';
import { withNodeWifi } from '../../src/host/wifi/library.ts';
import { keyfile } from '../../src/host/wifi/profile.ts';
import { wifiHost } from '../../src/host/wifi/station.ts';
import { terseRecords } from '../../src/host/wifi/terse.ts';
import { LinkspanError } from '../../src/service/errors.ts';

const ODD = 'odd:na me "é🏭\\';
const KEY = 'right key\\1';
/** What nmcli 1.42 writes for it. */
const ODD_TERSE = 'odd\\:na me "é🏭\\\\';

let folder: string;
const before = { ...process.env };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'linkspan-wifi-'));
  process.env['PATH'] = `${folder}:${before['PATH'] ?? ''}`;
});
afterEach(() => {
  process.env['PATH'] = before['PATH'];
  rmSync(folder, { recursive: true });
});

/** A fake nmcli that notes how it was called, and answers with the lines of `answers/COMMAND` or that exit code. */
function fakeNmcli(answers: Readonly<Record<string, { out?: string; err?: string; code?: number }>>): void {
  const cases = Object.entries(answers).map(([pattern, { out = '', err = '', code = 0 }], index) => {
    writeFileSync(join(folder, `out-${index}`), out);
    writeFileSync(join(folder, `err-${index}`), err);
    return `*'${pattern}'*) cat ${folder}/out-${index}; cat ${folder}/err-${index} >&2; exit ${code};;`;
  });
  const note = `printf '%s|' "LC_ALL=$LC_ALL" "$@" >>${folder}/calls; echo >>${folder}/calls`;
  writeFileSync(join(folder, 'nmcli'), ['#!/bin/sh', note, 'case "$*" in', ...cases, 'esac'].join('\n'));
  chmodSync(join(folder, 'nmcli'), 0o755);
}

const calls = (): string => readFileSync(join(folder, 'calls'), 'utf8');

function keyFile(text: string, mode = 0o600): string {
  const file = join(folder, 'psk');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const failure = (promise: Promise<unknown>): Promise<LinkspanError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => (error instanceof LinkspanError ? error : Promise.reject(error)),
  );

describe('records of nmcli --terse', () => {
  test.each<[string, readonly string[]]>([
    ['*:plain:70', ['*', 'plain', '70']],
    [` :${ODD_TERSE}:3`, [' ', ODD, '3']],
    [' ::', [' ', '', '']],
    ['a:\\\\:', ['a', '\\', '']],
  ])('%j', (line, fields) => expect(terseRecords(`${line}\n`, 3)).toEqual([fields]));

  test('an SSID with a line break makes no record of its own', () => {
    expect(terseRecords(' :x\n*\\:plant\\:99:5\n', 3)).toEqual([]);
  });
});

describe('the key', () => {
  test.each(['12345678', 'x'.repeat(63), '0123456789abcdefABCDEF'.padEnd(64, '0'), ' a b\\c d '])('%j', async (key) => {
    expect(await readKey(keyFile(`${key}\n`))).toBe(key);
    expect(await readKey(keyFile(key))).toBe(key);
  });

  test.each(['', 'short\n', 'x'.repeat(64), 'x'.repeat(200), 'twolines\ntwolines', 'schlüssel'])(
    'is not %j, and the error does not tell it',
    async (text) => {
      const error = await failure(readKey(keyFile(text)));
      expect(error).toMatchObject({ code: 'wifi_key', remedy: expect.stringContaining('64 hex digits') });
      if (text.length > 4) expect(error.message).not.toContain(text.slice(0, 5));
    },
  );

  test('must not be readable by everyone; a missing file is said', async () => {
    expect(await failure(readKey(keyFile(KEY, 0o644)))).toMatchObject({ remedy: `chmod 600 ${join(folder, 'psk')}` });
    expect((await failure(readKey(join(folder, 'none')))).remedy).toContain('mode 600');
  });

  test.each(['fifo', 'folder'])(
    'is not waited for in a %s',
    async (kind) => {
      const path = join(folder, kind);
      execFileSync(kind === 'fifo' ? 'mkfifo' : 'mkdir', [path]);
      expect(await failure(readKey(path))).toMatchObject({
        code: 'wifi_key',
        message: expect.stringContaining('it is no file'),
      });
    },
    5000,
  );

  test('is another one once its file has changed', async () => {
    const file = keyFile('12345678');
    const stamp = await keyStamp(file);
    expect(await keyStamp(file)).toBe(stamp);
    keyFile('123456789');
    expect(await keyStamp(file)).not.toBe(stamp);
    expect(await keyStamp(join(folder, 'none'))).toBeUndefined();
  });
});

const uuid = (profile: string): string | undefined => /uuid=(.*)/.exec(profile)?.[1];

test('a profile holds the SSID byte by byte and the key escaped; the same interface has the same profile', () => {
  const text = keyfile({ interface: 'wlan0', ssid: 'é:', key: ' a\\b' });
  expect(text).toContain('\nssid=195;169;58;\n');
  expect(text).toContain('\npsk=\\sa\\\\b\n');
  expect(text).toMatch(/\nuuid=[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}\n/);
  expect(uuid(keyfile({ interface: 'wlan0', ssid: 'x' }))).toBe(uuid(text));
  expect(uuid(keyfile({ interface: 'wlan1', ssid: 'x' }))).not.toBe(uuid(text));
  expect(keyfile({ interface: 'wlan0', ssid: 'x' })).not.toContain('security');
});

describe('node-wifi', () => {
  test('leaves this process its locale, and gets the one that it needs', async () => {
    process.env['LANG'] = 'de_DE.UTF-8';
    delete process.env['LC_ALL'];
    fakeNmcli({});
    await withNodeWifi('wlan0', (wifi) => wifi.scan());
    expect([process.env['LANG'], process.env['LC_ALL']]).toEqual(['de_DE.UTF-8', undefined]);
    expect(calls()).toMatch(/^LC_ALL=C\.UTF-8\|.*\|list\|ifname\|wlan0\|$/m);
  });
});

const stateOf = (out: string, list = ''): ReturnType<ReturnType<typeof wifiHost>['look']> => {
  fakeNmcli({
    'device show wlan0': { out: `GENERAL.STATE:${out}\nGENERAL.CONNECTION:mine\n` },
    'wifi list': { out: list },
    'connection show id mine': { out: `802-11-wireless.ssid:${ODD}\n` },
  });
  return wifiHost(folder).look('wlan0');
};

describe('a look', () => {
  test.each<[string, object]>([
    ['10 (unmanaged)', { kind: 'unusable', why: 'unmanaged' }],
    ['20 (unavailable)', { kind: 'unusable', why: 'unavailable' }],
    ['30 (disconnected)', { kind: 'idle', heard: [] }],
    ['60 (connecting (need authentication))', { kind: 'joining' }],
    ['120 (connection failed)', { kind: 'idle', heard: [] }],
    ['nonsense', { kind: 'unusable', why: 'in no known state' }],
  ])('%s', async (state, look) => expect(await stateOf(state)).toEqual(look));

  test('with or without an address there, an associated interface is joined', async () => {
    const list = ` :other:90:\nM:${ODD_TERSE}:77:WPA2\n ::60:WPA2\n :${ODD_TERSE}:30:\n`;
    const heard = [
      { ssid: 'other', signal_percent: 90, security: '' },
      { ssid: ODD, signal_percent: 77, security: 'WPA2' },
    ];
    const joined = { kind: 'joined', ssid: ODD, signal: 77, heard };
    expect(await stateOf('70 (connecting (getting IP configuration))', list.replace('M', ' '))).toEqual(joined);
    expect(await stateOf('100 (connected)', list.replace('M', '*'))).toEqual(joined);
    expect(await stateOf('100 (connected)', ' :other:90:\n')).toEqual({
      ...joined,
      signal: undefined,
      heard: heard.slice(0, 1),
    });
    expect(calls()).not.toContain('rescan|yes');
  });

  test('knows an interface that is gone, and says where nmcli or NetworkManager is', async () => {
    fakeNmcli({ 'device show': { err: "Error: Device 'wlan0' not found.\n", code: 10 } });
    expect(await wifiHost(folder).look('wlan0')).toEqual({ kind: 'absent' });
    fakeNmcli({ 'device show': { err: 'Error: NetworkManager is not running.\n', code: 8 } });
    expect((await failure(wifiHost(folder).look('wlan0'))).message).toMatch(/not running.*start NetworkManager/);
    process.env['PATH'] = join(folder, 'empty');
    mkdirSync(join(folder, 'empty'));
    expect((await failure(wifiHost(folder).look('wlan0'))).message).toContain('install network-manager');
  });
});

const protectedNetwork = (): { ssid: string; pskFile: string } => ({ ssid: ODD, pskFile: keyFile(`${KEY}\n`) });

describe('joining', () => {
  const heard = { 'rescan no': { out: ` :${ODD_TERSE}:70:WPA2\n :-open:40:\n` } };

  test('hands the key over in a file for root alone, and in no argument', async () => {
    fakeNmcli(heard);
    const profiles = join(folder, 'new', 'profiles');
    await wifiHost(profiles).join('wlan0', protectedNetwork());
    const file = join(profiles, 'linkspan-wlan0.nmconnection');
    expect(readFileSync(file, 'utf8')).toContain('psk=right\\skey\\\\1');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(calls()).toContain(`connection|load|${file}|`);
    expect(calls()).toContain('connection|up|id|linkspan-wlan0|ifname|wlan0|');
    expect(calls()).not.toContain(KEY);
  });

  test('an open network is node-wifi’s, its SSID one argument whatever it begins with', async () => {
    fakeNmcli(heard);
    await wifiHost(folder).join('wlan0', { ssid: '-open' });
    expect(calls()).toContain('device|wifi|connect|-open|password|undefined|ifname|wlan0|');
    expect(readFileSync(join(folder, 'linkspan-wlan0.nmconnection'), 'utf8')).not.toContain('psk');
  });

  test('an open network whose SSID looks like an access point’s address is joined by its profile', async () => {
    fakeNmcli({ 'rescan no': { out: ' :02\\:00\\:00\\:00\\:00\\:77:70:\n' } });
    await wifiHost(folder).join('wlan0', { ssid: '02:00:00:00:00:77' });
    expect(calls()).toContain('connection|up|id|linkspan-wlan0|ifname|wlan0|');
    expect(calls()).not.toContain('wifi|connect');
  });

  test('what is not heard is not tried', async () => {
    fakeNmcli({ 'rescan no': { out: ' :other:70:\n' } });
    expect(await failure(wifiHost(folder).join('wlan0', { ssid: 'x"\n' }))).toMatchObject({ code: 'wifi_unheard' });
    expect(calls()).not.toContain('connect');
  });

  const ended = (err: string, code: number): Promise<unknown> => {
    fakeNmcli({ ...heard, 'connection up': { err, code } });
    return wifiHost(folder).join('wlan0', protectedNetwork());
  };

  test('a wrong key is said so; a time-out is no failure', async () => {
    const said = 'Error: Connection activation failed: Secrets were required, but not provided\nHint: …\n';
    expect(await failure(ended(said, 4))).toMatchObject({ code: 'wifi_refused', object: 'wlan0' });
    await expect(ended('Error: Timeout 10 sec expired.\n', 3)).resolves.toBeUndefined();
  });

  test('no error tells the key, whatever nmcli says', async () => {
    const error = await failure(ended(`Error: bad ${KEY} here\nmore`, 4));
    expect(error.message).toBe("wlan0: bad (the key) here; see NetworkManager's log");
  });

  test('two interfaces take turns', async () => {
    fakeNmcli(heard);
    const host = wifiHost(folder);
    await Promise.all([host.join('wlan0', protectedNetwork()), host.join('wlan1', { ssid: '-open' })]);
    const devices = calls()
      .split('\n')
      .flatMap((line) => /wlan\d/.exec(line) ?? []);
    expect(devices).toEqual(devices.toSorted());
  });
});

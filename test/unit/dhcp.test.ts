import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { DhcpEventReader } from '../../src/ipam/dhcp-event.ts';
import { dhcpIdentity } from '../../src/ipam/dhcp-identity.ts';
import { parseLease } from '../../src/ipam/dhcp-lease.ts';
import { leaseState } from '../../src/ipam/dhcp-state.ts';
import { LeaseBook } from '../../src/ipam/lease-book.ts';
import type { BootTime, DhcpLease } from '../../src/model/dhcp.ts';
import { contains, isHostAddress, parseIp } from '../../src/model/ip.ts';

const GOOD = { ip: '10.77.0.131', subnet: '255.255.255.0', serverid: '10.77.0.1', lease: '3600' };
const NOW = 1_795_543_071_000;

function maskOf(ones: number): string {
  const bits = '1'.repeat(ones).padEnd(32, '0').match(/.{8}/g) ?? [];
  return bits.map((byte) => Number.parseInt(byte, 2)).join('.');
}

/** What the hook writes for one event. */
function record(event: string, ...entries: string[]): string {
  return `${[`linkspan_event=${event}`, ...entries].join('\0')}\0\0`;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function lease(variables: Record<string, string>): DhcpLease {
  const read = parseLease({ ...GOOD, ...variables }, NOW);
  if ('unusable' in read) throw new Error(read.unusable);
  return read.lease;
}

function refusal(variables: Record<string, string>): string {
  const read = parseLease({ ...GOOD, ...variables }, NOW);
  return 'unusable' in read ? read.unusable : 'taken';
}

describe('parseLease', () => {
  test('reads an answer as dnsmasq gives it', () => {
    const given = { router: '10.77.0.1', dns: '10.77.0.1 10.77.0.2', domain: 'Plant.example.', mtu: '1400' };
    expect(lease(given)).toEqual({
      address: { family: 4, address: '10.77.0.131', length: 24 },
      router: '10.77.0.1',
      dns: ['10.77.0.1', '10.77.0.2'],
      domain: 'plant.example',
      mtu: 1400,
      server: '10.77.0.1',
      lease_s: 3600,
      obtainedAt: NOW,
      ignored: [],
    });
  });

  test('the least that an answer may hold', () => {
    const { ip, subnet, serverid } = GOOD;
    expect(parseLease({ ip, subnet, serverid }, NOW)).toMatchObject({ lease: { lease_s: 3600, dns: [], ignored: [] } });
  });

  test.each([
    ['no address', { ip: '' }],
    ['0.0.0.0', { ip: '0.0.0.0' }],
    ['a group', { ip: '224.0.0.5', subnet: '255.0.0.0' }],
    ['the limited broadcast', { ip: '255.255.255.255' }],
    ['loopback', { ip: '127.0.0.2' }],
    ['a link-local address', { ip: '169.254.3.4', subnet: '255.255.0.0' }],
    ['the network itself', { ip: '10.77.0.0' }],
    ['its broadcast address', { ip: '10.77.0.255' }],
    ['IPv6', { ip: 'fd00::1' }],
    ['a command', { ip: '10.0.0.1;reboot' }],
    ['mask 0', { subnet: '0.0.0.0' }],
    ['a mask of 4 bits', { subnet: '240.0.0.0' }],
    ['a mask with holes', { subnet: '255.0.255.0' }],
    ['no mask', { subnet: '' }],
    ['no server', { serverid: '' }],
    ['server 0.0.0.0', { serverid: '0.0.0.0' }],
    ['time 0', { lease: '0' }],
    ['time -1', { lease: '-1' }],
    ['time of 33 bits', { lease: '4294967296' }],
    ['time in words', { lease: '1e3' }],
  ])('refuses %s', (_, variables) => {
    expect(refusal(variables)).toMatch(/^(address|server identifier|lease time) ".*" makes no sense$/);
  });

  test.each([
    ['a router off the subnet', { router: '10.78.0.1' }, 'router "10.78.0.1"'],
    ['itself as router', { router: '10.77.0.131' }, 'router "10.77.0.131"'],
    ['the broadcast address as router', { router: '10.77.0.255' }, 'router "10.77.0.255"'],
    ['a group as DNS server', { dns: '10.77.0.1 239.0.0.1' }, 'DNS servers among "10.77.0.1 239.0.0.1"'],
    ['a domain for a shell', { domain: '$(reboot).example' }, 'domain "$(reboot).example"'],
    ['a domain that udhcpc has refused', { domain: 'bad' }, 'domain "bad"'],
    ['a domain for a terminal', { domain: 'a\u001b[31m' }, String.raw`domain "a\x1b[31m"`],
    ['a domain too long', { domain: 'a.'.repeat(200) }, `domain "${'a.'.repeat(32)}"`],
    ['an MTU of 10', { mtu: '10' }, 'MTU "10"'],
    ['an MTU of 65536', { mtu: '65536' }, 'MTU "65536"'],
  ])('leaves out %s, and says so', (_, variables, said) => {
    expect(lease(variables).ignored).toEqual([said]);
    expect(lease(variables)).toMatchObject({ address: { address: GOOD.ip } });
  });

  test('takes the first router that can be one, and each DNS server once', () => {
    expect(lease({ router: '10.9.9.9 10.77.0.2 10.77.0.1' })).toMatchObject({ router: '10.77.0.2', ignored: [] });
    expect(lease({ dns: '10.77.0.1 10.77.0.1' }).dns).toEqual(['10.77.0.1']);
    expect(lease({ dns: Array.from({ length: 60 }, (_, i) => `10.0.0.${i + 1}`).join(' ') }).dns).toHaveLength(8);
  });

  const byte = fc.integer({ min: 0, max: 255 });
  const dotted = fc.tuple(byte, byte, byte, byte).map((parts) => parts.join('.'));
  const anything = fc.oneof(dotted, fc.string({ unit: 'binary' }), fc.nat().map(String));
  const extras = fc.record({ router: anything, dns: anything, domain: anything, mtu: anything });

  test('whatever a server says beside a good address, what is taken can be used', () => {
    fc.assert(
      fc.property(extras, fc.integer({ min: 8, max: 32 }), (given, ones) => {
        const { address, router, dns, domain, mtu, ignored } = lease({
          ...given,
          subnet: maskOf(ones),
          ip: '10.7.9.133',
        });
        expect(address.length).toBe(ones);
        expect(router === undefined || (contains(address, router) && router !== address.address)).toBe(true);
        expect(dns.every((each) => parseIp(each) === each)).toBe(true);
        expect(domain ?? 'a').toMatch(/^[a-z0-9._-]{1,253}$/);
        expect(mtu ?? 576).toBeGreaterThanOrEqual(576);
        // What is shown to people holds nothing that moves a cursor.
        expect(ignored.join('')).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  test('whatever a server says, an address that is taken can stand on an interface', () => {
    const address = fc.record({
      ip: dotted,
      subnet: fc.oneof(dotted, fc.nat({ max: 32 }).map(maskOf)),
      serverid: dotted,
    });
    fc.assert(
      fc.property(address, anything, (given, time) => {
        const read = parseLease({ ...GOOD, ...given, lease: time }, NOW);
        if ('unusable' in read) return expect(read.unusable.length).toBeLessThan(200);
        expect(isHostAddress(read.lease.address, read.lease.address.address)).toBe(true);
        expect(read.lease.lease_s).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('DhcpEventReader', () => {
  test('events come out whole, however the stream is cut', () => {
    const stream = bytes(
      record('deconfig') + record('bound', 'ip=10.0.0.5', 'domain=', 'message=\xff=\n') + record('renew'),
    );
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length })), (cuts) => {
        const reader = new DhcpEventReader();
        const at = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const events = at.slice(1).flatMap((end, index) => reader.push(stream.subarray(at[index], end)));
        expect(events.map((event) => event.name)).toEqual(['deconfig', 'bound', 'renew']);
        expect({ ...events[1]?.variables }).toEqual({
          linkspan_event: 'bound',
          ip: '10.0.0.5',
          domain: '',
          message: '\xff=\n',
        });
      }),
    );
  });

  test('what is no event is left out, and no record grows without end', () => {
    const reader = new DhcpEventReader();
    expect(reader.push(bytes(`${record('reboot')}=x\0\0\0\0\0`))).toEqual([]);
    expect(reader.push(Buffer.alloc(70_000, 'x'))).toEqual([]);
    expect(reader.push(bytes(`\0\0${record('nak')}`)).map((event) => event.name)).toEqual(['nak']);
  });
});

describe('dhcpIdentity', () => {
  const names = { gateway: 'gw-a', workload: 'historian', network: 'line1' };

  test('is the same for ever, and another one for each other name', () => {
    expect(dhcpIdentity(names)).toEqual({
      clientId: expect.stringMatching(/^ff[0-9a-f]{8}0004[0-9a-f]{32}$/),
      hostname: 'historian',
    });
    expect(dhcpIdentity(names)).toEqual(dhcpIdentity({ ...names }));
    const all = [names, { ...names, gateway: 'x' }, { ...names, workload: 'x' }, { ...names, network: 'x' }];
    expect(new Set(all.map((each) => dhcpIdentity(each).clientId)).size).toBe(4);
  });

  test('known values: a change would cost every endpoint its address', () => {
    expect(dhcpIdentity(names).clientId).toBe('ff815750a40004944f84832b43cc1deeb985719b2f9807');
  });

  test('the interfaces of one workload have its DUID in common', () => {
    const [a, b] = [names, { ...names, network: 'x' }].map((each) => dhcpIdentity(each).clientId.slice(10));
    expect(a).toBe(b);
  });

  test('any name becomes a DNS label', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (workload) => {
        const { hostname } = dhcpIdentity({ ...names, workload });
        expect(hostname).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      }),
    );
    expect(dhcpIdentity({ ...names, workload: 'Press 4_(old)' }).hostname).toBe('press-4-old');
  });
});

describe('leaseState', () => {
  const facts = { lease: lease({}), age: 0, revoked: false, trouble: undefined };

  test.each([
    [0, 'valid'],
    [3_149_999, 'valid'],
    [3_150_000, 'late'],
    [3_599_999, 'late'],
    [3_600_000, 'ended'],
  ])('a lease of an hour, after %i ms, is %s', (age, phase) => {
    const state = leaseState({ ...facts, age });
    expect(state.phase).toBe(phase);
    expect(state.problem === undefined).toBe(phase === 'valid');
  });

  test('a lease without end stays; one that was taken back has ended', () => {
    const forever = lease({ lease: '4294967295' });
    expect(leaseState({ ...facts, lease: forever, age: 1e15 }).phase).toBe('valid');
    expect(leaseState({ ...facts, lease: forever, revoked: true }).phase).toBe('ended');
  });

  test('the problem names the lease and the trouble', () => {
    expect(leaseState({ ...facts, age: 3.6e6, trouble: 'no DHCP server answers on eth0' }).problem).toBe(
      'the lease of 10.77.0.131/24 from DHCP server 10.77.0.1 has ended; no DHCP server answers on eth0',
    );
    expect(leaseState({ ...facts, lease: undefined, trouble: 'x' })).toEqual({
      lease: undefined,
      phase: 'none',
      problem: 'x',
    });
  });
});

function full(): never {
  throw new Error('database or disk is full');
}

describe('LeaseBook', () => {
  const rows = new Map<string, DhcpLease>();
  const store = {
    list: () => [...rows].map(([key, kept]) => ({ key, lease: kept })),
    put: (key: string, given: DhcpLease) => void rows.set(key, given),
    remove: (key: string) => void rows.delete(key),
  };
  let now = NOW;
  /** The wall clock may jump; the other one never does. */
  let jump = 0;
  const clock = { now: () => now + jump, monotonic: () => now - NOW };
  let boot = 'a';
  const bootTime = (): BootTime => ({ boot, ms: now - NOW + 5000 });
  const granted = (variables: Record<string, string> = {}): DhcpLease => ({
    ...lease(variables),
    obtainedAt: clock.now(),
  });

  function open(): { book: LeaseBook; told: () => readonly string[] } {
    const book = new LeaseBook(store, clock, bootTime);
    const heard: string[] = [];
    book.onChange((key, state) => heard.push(`${key} ${state?.phase ?? 'gone'}`));
    return { book, told: () => heard.splice(0) };
  }

  test('tells what changes, a mere renewal not, and keeps each renewal', () => {
    const { book, told } = open();
    const news = book.newsOf('w/n');
    news.trouble('no DHCP server answers');
    news.granted(granted());
    expect(told()).toEqual(['w/n none', 'w/n valid']);
    now += 1_800_000;
    news.granted(granted());
    book.tick();
    expect(told()).toEqual([]);
    expect(rows.get('w/n')?.obtainedAt).toBe(now);
    news.granted(granted({ router: '10.77.0.1' }));
    news.revoked();
    news.granted(granted({ ip: '10.77.0.9' }));
    expect(told()).toEqual(['w/n valid', 'w/n ended', 'w/n valid']);
    expect(book.address('w/n')).toBe('10.77.0.9');
    now += 3_200_000;
    book.tick();
    now += 400_000;
    book.tick();
    book.tick();
    expect(told()).toEqual(['w/n late', 'w/n ended']);
    book.remove('w/n');
    book.remove('w/n');
    expect(told()).toEqual(['w/n gone']);
    expect([book.states().size, rows.size]).toEqual([0, 0]);
  });

  test('a disk that takes nothing costs nobody the lease, and is told', () => {
    const book = new LeaseBook({ list: () => [], put: full, remove: full }, clock, bootTime);
    book.newsOf('w/n').granted(granted());
    expect(book.states().get('w/n')).toMatchObject({
      phase: 'valid',
      problem: expect.stringContaining('disk is full'),
    });
    book.remove('w/n');
    expect(book.states().size).toBe(0);
  });

  test.each([
    ['a', 600_000, 0, 'valid'],
    ['a', 3_200_000, 0, 'late'],
    ['a', 3_700_000, 0, 'ended'],
    // Set meanwhile by a time server, or by hand: the machine's own time knows better.
    ['a', 600_000, 10_000_000, 'valid'],
    ['a', 3_700_000, -NOW, 'ended'],
    ['b', 600_000, 0, 'valid'],
    ['b', 3_700_000, 0, 'ended'],
    // A gateway without a battery starts in 1970; what it knows then says nothing against the lease.
    ['b', 600_000, -NOW, 'valid'],
  ])(
    'in boot %s, after %i ms without the service, a clock set by %i ms: a lease of an hour is %s',
    (next, away, off, phase) => {
      boot = 'a';
      open().book.newsOf('w/n').granted(granted());
      boot = next;
      now += away;
      jump = off;
      expect(open().book.states().get('w/n')?.phase).toBe(phase);
      jump = 0;
    },
  );
});

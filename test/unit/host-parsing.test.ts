import { describe, expect, test } from '@jest/globals';
import { isStale, parseFlow } from '../../src/host/conntrack.ts';
import { parseListing } from '../../src/host/docker-user.ts';

describe('Docker’s rules', () => {
  const listing = [
    '-P FORWARD DROP',
    '-N DOCKER',
    '-N DOCKER-USER',
    '-A FORWARD -j DOCKER-USER',
    '-A FORWARD -o docker0 -j DOCKER',
    '-A DOCKER-BRIDGE -o br-1234 -j DOCKER',
    '-A DOCKER ! -i docker0 -o docker0 -j DROP',
    '-A DOCKER-USER -s 10.0.0.1/32 -m comment --comment linkspan -j DROP',
    '-A DOCKER-USER -o lsb-+ -m comment --comment linkspan -j ACCEPT',
    '-A DOCKER-USER -i lsb-+ -o eth0 -m comment --comment linkspan -j ACCEPT',
    '-A DOCKER-USER -i eth0 -m comment --comment linkspan2 -j ACCEPT',
    '-A DOCKER-USER -j RETURN',
    '',
  ].join('\n');

  test('ours are known by their mark, Docker’s bridges by where they lead, old form and new', () => {
    expect(parseListing(listing)).toEqual({
      rules: ['-o lsb-+', '-i lsb-+ -o eth0'],
      bridges: new Set(['docker0', 'br-1234']),
    });
  });

  test('without the chain there is no Docker', () => {
    expect(parseListing(listing.replace('-N DOCKER-USER\n', ''))).toBeUndefined();
    expect(parseListing('')).toBeUndefined();
  });
});

describe('a flow', () => {
  const translated = parseFlow(
    'udp      17 28 src=10.20.0.10 dst=10.20.0.1 sport=5555 dport=8080 [UNREPLIED] src=172.30.0.31 dst=10.20.0.10 sport=80 dport=5555 mark=0 use=1',
  );
  const target = { address: '172.30.0.31', port: 80 };
  const to = { family: 4, protocol: 'udp', hostAddress: undefined, hostPort: 8080, target } as const;
  const local = new Set(['10.20.0.1']);
  const stale = (over: object, own = local): boolean =>
    translated !== undefined && isStale(translated, { ...to, ...over }, own);

  test('is read from its line, and nothing from others', () => {
    expect(translated).toEqual({
      src: '10.20.0.10',
      dst: '10.20.0.1',
      sport: '5555',
      dport: '8080',
      replySrc: '172.30.0.31',
      replySport: '80',
    });
    expect(
      parseFlow(
        'icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1',
      ),
    ).toBeUndefined();
    expect(parseFlow('')).toBeUndefined();
  });

  test('is stale where its port leads elsewhere, and of the gateway only', () => {
    expect(stale({})).toBe(false);
    expect(stale({ target: undefined })).toBe(true);
    expect(stale({ target: { ...target, address: '172.30.0.32' } })).toBe(true);
    expect(stale({ target: { ...target, port: 81 } })).toBe(true);
    expect(stale({ target: undefined, hostPort: 8081 })).toBe(false);
    expect(stale({ target: undefined, hostAddress: '10.20.0.1' })).toBe(true);
    expect(stale({ target: undefined, hostAddress: '10.20.0.2' })).toBe(false);
    expect(stale({ target: undefined, family: 6 })).toBe(false);
    expect(stale({ target: undefined }, new Set())).toBe(false);
  });
});

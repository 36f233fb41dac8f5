import type { Alive, AliveState, Listing } from '../model/peer.ts';
import { isVni } from '../model/vni.ts';
import { EPOCH_MAX } from './order.ts';
import { asFields, asNumber, refuse, type Fields } from '../model/fields.ts';
import { asListing, asNameOf, asVteps, parseWith, type Parsed } from './parse.ts';

const MAX_VNIS = 4096;
const DECIMAL = /^[1-9]\d{0,7}$/;

/** Reads birth, death and manifest of gateway `gw` from bytes that anybody may have written. */
export function parseAlive(payload: Uint8Array, gw: string, json?: object): Parsed<Alive> {
  return parseWith(payload, (fields) => readAlive(fields, gw), json);
}

function readAlive(fields: Fields, gw: string): Alive {
  if (fields['v'] !== 1) refuse('v', '1');
  const state = readState(fields['state']);
  return {
    v: 1,
    gw: asNameOf('gw', fields['gw'], gw),
    epoch: asNumber('epoch', fields['epoch'], 0, EPOCH_MAX),
    seq: asNumber('seq', fields['seq'], 0, Number.MAX_SAFE_INTEGER),
    state,
    vteps: asVteps(fields['vteps'] ?? [], 0),
    // one that is up and lists nothing withdraws all: that must have been meant
    vnis: readVnis(state === 'up' ? fields['vnis'] : (fields['vnis'] ?? {})),
    ...(fields['exp'] !== undefined && { exp: asNumber('exp', fields['exp'], 0, Number.MAX_SAFE_INTEGER) }),
  };
}

function readState(value: unknown): AliveState {
  return value === 'up' || value === 'down' || value === 'leaving' ? value : refuse('state', 'up, down or leaving');
}

function readVnis(value: unknown): Alive['vnis'] {
  const entries = Object.entries(asFields('vnis', value));
  if (entries.length > MAX_VNIS) refuse('vnis', `an object of at most ${MAX_VNIS}`);
  return Object.fromEntries(entries.map(([vni, item]) => readListing(vni, item)));
}

function readListing(vni: string, value: unknown): [string, Listing] {
  if (!DECIMAL.test(vni) || !isVni(Number(vni))) refuse('vnis', 'keyed by VNIs from 1 to 16777215');
  return [vni, asListing('vnis', value)];
}

/** The bytes as published: JSON with a fixed order of fields. */
export function encodeAlive(alive: Alive): Buffer {
  const { v, gw, epoch, seq, state, vnis, exp } = alive;
  const vteps = alive.vteps.map(({ ip, port }) => ({ ip, port }));
  return Buffer.from(JSON.stringify({ v, gw, epoch, seq, state, vteps, vnis, exp }));
}

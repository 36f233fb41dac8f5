import type { RecordPage } from '../model/peer.ts';
import { asNumber, refuse, type Fields } from '../model/fields.ts';
import { readMacs, writeMacs } from './macs.ts';
import { EPOCH_MAX } from './order.ts';
import { asNameOf, parseWith, type Parsed } from './parse.ts';
import type { RecordAddress } from './record.ts';

/** What the topic of a page says about it; the body must say the same. */
export type PageAddress = RecordAddress & { readonly page: number };

/** Reads a page from bytes that anybody may have written; unknown fields are ignored. */
export function parsePage(payload: Uint8Array, address: PageAddress, json?: object): Parsed<RecordPage> {
  return parseWith(payload, (fields) => readPage(fields, address), json);
}

function readPage(fields: Fields, { fleet, vni, gw, page }: PageAddress): RecordPage {
  if (fields['v'] !== 1) refuse('v', '1');
  if (fields['vni'] !== vni) refuse('vni', `${vni} as in the topic`);
  if (fields['page'] !== page) refuse('page', `${page} as in the topic`);
  return {
    v: 1,
    fleet: asNameOf('fleet', fields['fleet'], fleet),
    vni,
    gw: asNameOf('gw', fields['gw'], gw),
    page,
    epoch: asNumber('epoch', fields['epoch'], 0, EPOCH_MAX),
    seq: asNumber('seq', fields['seq'], 0, Number.MAX_SAFE_INTEGER),
    macs: readMacs(fields['macs']),
  };
}

/** The page's bytes as published: JSON with a fixed order of fields. */
export function encodePage({ v, fleet, vni, gw, page, epoch, seq, macs }: RecordPage): Buffer {
  return Buffer.from(JSON.stringify({ v, fleet, vni, gw, page, epoch, seq, macs: writeMacs(macs) }));
}

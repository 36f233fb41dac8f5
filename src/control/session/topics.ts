import { isVni, type Vni } from '../../model/vni.ts';
import { MAX_PAGES } from '../../peers/record.ts';

/** A topic of the contract, without the fleet's prefix. */
export type Topic =
  | { readonly kind: 'desired'; readonly gw: string }
  | { readonly kind: 'reported' | 'event' | 'trust'; readonly gw: string }
  | OwnedTopic
  | { readonly kind: 'rpc_req'; readonly gw: string; readonly id: string }
  | { readonly kind: 'rpc_res'; readonly gw: string; readonly id: string };

/** What a gateway publishes of itself for its peers. */
export type OwnedTopic =
  | { readonly kind: 'alive'; readonly gw: string }
  /** page 0 is the record itself */
  | { readonly kind: 'record'; readonly vni: Vni; readonly gw: string; readonly page: number };

const NAME = /^[a-z0-9-]{1,63}$/;
const RPC_ID = /^[A-Za-z0-9_-]{1,64}$/;
const DECIMAL = /^[1-9]\d{0,7}$/;
/** Brokers take no more in a topic (EMQX 128, mosquitto 200), and end the connection that publishes there. */
const LEVELS_MAX = 128;

const prefixOf = (fleet: string): string => `linkspan/v1/${fleet}/`;

/** The full name of a topic. */
export function formatTopic(fleet: string, topic: Topic): string {
  const prefix = prefixOf(fleet);
  if (topic.kind === 'record')
    return `${prefix}vni/${topic.vni}/gw/${topic.gw}${topic.page > 0 ? `/${topic.page}` : ''}`;
  if (topic.kind === 'trust') return `${prefix}trust/${topic.gw}`;
  if (topic.kind === 'rpc_req') return `${prefix}gw/${topic.gw}/rpc/req/${topic.id}`;
  if (topic.kind === 'rpc_res') return `${prefix}gw/${topic.gw}/rpc/res/${topic.id}`;
  return `${prefix}gw/${topic.gw}/${topic.kind}`;
}

/** The subscription to every gateway's record of one VNI, all pages. */
export function recordsFilter(fleet: string, vni: Vni): string {
  return `${prefixOf(fleet)}vni/${vni}/gw/#`;
}

/** The subscription to every request to one gateway. */
export function requestsFilter(fleet: string, gw: string): string {
  return `${prefixOf(fleet)}gw/${gw}/rpc/req/+`;
}

/** The subscription to one gateway's record of one VNI, all pages. */
export function tableFilter(fleet: string, vni: Vni, gw: string): string {
  return `${prefixOf(fleet)}vni/${vni}/gw/${gw}/#`;
}

/**
 * Where a request is answered: on the topic that it names (MQTT 5), unless that is one of Linkspan's own, where only their
 * owners may write, or none; else on the one of its id.
 */
export function answerTopic(fleet: string, gw: string, id: string, wanted: string | undefined): string {
  const fallback = formatTopic(fleet, { kind: 'rpc_res', gw, id });
  if (wanted === undefined || /[#+\0]/.test(wanted) || wanted.startsWith('$')) return fallback;
  if (wanted.split('/').length > LEVELS_MAX) return fallback;
  return wanted.startsWith('linkspan/') && !wanted.startsWith(fallback.slice(0, -id.length)) ? fallback : wanted;
}

/** Parses the full name of a topic of this fleet; undefined for any other. */
export function parseTopic(fleet: string, name: string): Topic | undefined {
  if (!name.startsWith(prefixOf(fleet))) return undefined;
  const [branch, first = '', ...rest] = name.slice(prefixOf(fleet).length).split('/');
  if (branch === 'vni') return parseRecordTopic(first, rest);
  if (!NAME.test(first)) return undefined;
  if (branch === 'trust') return rest.length === 0 ? { kind: 'trust', gw: first } : undefined;
  return branch === 'gw' ? parseGatewayTopic(first, rest) : undefined;
}

function parseRecordTopic(number: string, [word, gw = '', ...more]: readonly string[]): Topic | undefined {
  const vni = DECIMAL.test(number) ? Number(number) : 0;
  const page = parsePageLevel(more);
  if (!isVni(vni) || word !== 'gw' || !NAME.test(gw) || page === undefined) return undefined;
  return { kind: 'record', vni, gw, page };
}

function parsePageLevel([level, ...more]: readonly string[]): number | undefined {
  if (level === undefined) return 0;
  const isPage = DECIMAL.test(level) && Number(level) <= MAX_PAGES && more.length === 0;
  return isPage ? Number(level) : undefined;
}

function parseGatewayTopic(gw: string, [kind, ...rest]: readonly string[]): Topic | undefined {
  if (kind === 'rpc') return parseRpcTopic(gw, rest);
  const plain = kind === 'desired' || kind === 'reported' || kind === 'alive' || kind === 'event';
  return plain && rest.length === 0 ? { kind, gw } : undefined;
}

function parseRpcTopic(gw: string, [way, id = '', ...more]: readonly string[]): Topic | undefined {
  if ((way !== 'req' && way !== 'res') || !RPC_ID.test(id) || more.length > 0) return undefined;
  return { kind: `rpc_${way}`, gw, id };
}

/** A retained message. */
export type Statement = { readonly topic: string; readonly payload: Buffer };

const [CONNECT, PUBLISH_ONCE_RETAINED, SUBSCRIBE] = [0x10, 0x33, 0x82];
/** clean session, and a will that is retained, at QoS 1 */
const FLAGS = 0x02 | 0x04 | 0x08 | 0x20;
const LEVEL = 4;

/** Without a keepalive: it has nothing to say while all is well. */
export function connectPacket(clientId: string, will: Statement): Buffer {
  const head = Buffer.from([LEVEL, FLAGS, 0, 0]);
  return packet(CONNECT, [text('MQTT'), head, text(clientId), text(will.topic), counted(will.payload)]);
}

/** At QoS 0. */
export function subscribePacket(id: number, topics: readonly string[]): Buffer {
  return packet(SUBSCRIBE, [word(id), ...topics.flatMap((topic) => [text(topic), Buffer.from([0])])]);
}

/** Retained, at QoS 1. */
export function publishPacket(id: number, { topic, payload }: Statement): Buffer {
  return packet(PUBLISH_ONCE_RETAINED, [text(topic), word(id), payload]);
}

function packet(type: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type, ...lengthOf(body.length)]), body]);
}

/** Seven bits a byte, the least first (section 2.2.3). */
function lengthOf(rest: number): readonly number[] {
  return rest < 128 ? [rest] : [(rest & 127) | 128, ...lengthOf(rest >> 7)];
}

const word = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const counted = (bytes: Buffer): Buffer => Buffer.concat([word(bytes.length), bytes]);
const text = (value: string): Buffer => counted(Buffer.from(value));

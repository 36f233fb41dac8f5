/** An Ethernet address in canonical form: six lower-case hex pairs joined by colons. */
export type Mac = string & { readonly brand: 'Mac' };

const CANONICAL = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const GROUP_BIT = 0x01;
const LOCAL_BIT = 0x02;

/** Parses a unicast Ethernet address, or returns undefined (group addresses never name an interface). */
export function parseMac(text: string): Mac | undefined {
  // what peers publish is in this form, thousands at a time
  if (CANONICAL.test(text)) return unicast(text);
  const lower = text.toLowerCase().replaceAll('-', ':');
  return CANONICAL.test(lower) ? unicast(lower) : undefined;
}

function unicast(text: string): Mac | undefined {
  if (text === '00:00:00:00:00:00') return undefined;
  return Number.parseInt(text.slice(0, 2), 16) & GROUP_BIT ? undefined : (text as Mac);
}

/** A locally administered unicast address of the first six bytes. */
export function macFromHash(hash: Buffer): Mac {
  const bytes = Buffer.from(hash.subarray(0, 6));
  bytes.writeUInt8((bytes.readUInt8(0) & ~GROUP_BIT) | LOCAL_BIT, 0);
  return bytes.toString('hex').match(/../g)?.join(':') as Mac;
}

/** The address in six bytes, or undefined where no interface can have it. */
export function macFromBytes(bytes: Buffer): Mac | undefined {
  return parseMac((bytes.toString('hex').match(/../g) ?? []).join(':'));
}

/** The six bytes of an address. */
export function macBytes(mac: Mac): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

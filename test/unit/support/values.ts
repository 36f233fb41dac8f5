import { type Mac, parseMac } from '../../../src/model/mac.ts';
import { isVni, type Vni } from '../../../src/model/vni.ts';

export function vni(n: number): Vni {
  if (!isVni(n)) throw new Error(`${n} is no VNI`);
  return n;
}

export function mac(text: string): Mac {
  const value = parseMac(text);
  if (!value) throw new Error(`${text} is no MAC`);
  return value;
}

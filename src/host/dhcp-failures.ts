import { visible } from '../model/text.ts';
import { LinkspanError } from '../service/errors.ts';
import type { Mac } from '../model/mac.ts';

/** For whom a lease was wanted, and on which interface. */
export type Asked = { readonly parent: string; readonly mac: Mac };

export function noLease(request: Asked, timeout: number, refusal: string | undefined): LinkspanError {
  const within = `within ${timeout / 1000} s`;
  const { code, reason } =
    refusal === undefined
      ? { code: 'dhcp_no_answer', reason: `no DHCP server gave ${request.mac} an address ${within}` }
      : { code: 'dhcp_refused', reason: `a DHCP server refused ${request.mac} ${within}, saying "${refusal}"` };
  const remedy =
    'check that a DHCP server with free addresses serves this VLAN and that the switch port admits this MAC, or give the workload an "address"';
  return new LinkspanError({ code, object: `DHCP on ${request.parent}`, reason, remedy });
}

export function unusable(request: Asked, reason: string): LinkspanError {
  const remedy = 'correct that DHCP server, or find the one that does not belong on this VLAN';
  return new LinkspanError({ code: 'dhcp_unusable', object: `DHCP on ${request.parent}`, reason, remedy });
}

export function failed(request: Asked, words: string): LinkspanError {
  const reason = `the DHCP client failed: ${visible(words) || 'it said nothing'}`;
  const remedy = 'install busybox with udhcpc, and util-linux';
  return new LinkspanError({ code: 'dhcp_client_failed', object: `DHCP on ${request.parent}`, reason, remedy });
}

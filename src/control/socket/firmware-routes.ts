import { json } from '../../status/reply.ts';
import type { Route } from '../../status/router.ts';
import type { Refusal } from '../request/refusal.ts';
import { BadRequest, type Fields, optional, parseObject } from '../request/request-body.ts';
import { post, refusal } from './writes.ts';

/** A bundle that somebody brings: a file that the service sees, or a URL. */
export type BundleSource = { readonly file: string } | { readonly url: string };

/** What the control socket can ask of the firmware. */
export interface FirmwareControl {
  /** `again`: also a version that was rolled back, or is here already */
  install(
    source: BundleSource,
    again: boolean,
  ): Promise<{ readonly ok: true; readonly outcome: string; readonly version: string | null } | Refusal>;
  /** Restarts into what is installed; undefined: whatever that is. */
  activate(version: string | undefined): Promise<{ readonly ok: true; readonly version: string } | Refusal>;
  /** Restarts and forgets all that is stored. */
  reset(): Promise<{ readonly ok: true } | Refusal>;
}

const TEXT = { type: 'string' };
const INSTALL_SCHEMA = { type: 'object', properties: { file: TEXT, url: TEXT, again: { type: 'boolean' } } };
const ACTIVATE_SCHEMA = { type: 'object', properties: { version: TEXT } };
const RESET_SCHEMA = { type: 'object', required: ['sure'], properties: { sure: { const: true } } };

/** For the control socket only. */
export function firmwareRoutes(firmware: FirmwareControl): readonly Route[] {
  return [
    post('/v1/firmware/install', 'Install a bundle into the other slot', INSTALL_SCHEMA, async (body) => {
      const fields = parseObject(body);
      const done = await firmware.install(sourceIn(fields), fields['again'] === true);
      return done.ok ? json({ outcome: done.outcome, version: done.version }, 202) : refusal(done);
    }),
    post('/v1/firmware/activate', 'Restart into the installed firmware', ACTIVATE_SCHEMA, async (body) => {
      const done = await firmware.activate(optional(parseObject(body), 'version'));
      return done.ok ? json({ version: done.version }, 202) : refusal(done);
    }),
    post('/v1/factory-reset', 'Restart and forget all that is stored', RESET_SCHEMA, async (body) => {
      if (parseObject(body)['sure'] !== true) throw new BadRequest('sure: not true; nothing is kept of this gateway');
      const done = await firmware.reset();
      return done.ok ? json({ restarting: true }, 202) : refusal(done);
    }),
  ];
}

/** @throws BadRequest */
function sourceIn(fields: Fields): BundleSource {
  const [file, url] = [
    optional(fields, 'file', '^/[^\\0]{1,4095}$'),
    optional(fields, 'url', '^https?://[!-~]{1,2040}$'),
  ];
  if (file !== undefined && url === undefined) return { file };
  if (url !== undefined && file === undefined && URL.canParse(url)) return { url };
  throw new BadRequest('give one of file, an absolute path, and url, with http or https');
}

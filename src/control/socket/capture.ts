import type { ServerResponse } from 'node:http';
import { captureFrames } from '../../host/capture-socket.ts';
import { parseCaptureFilter, type FrameFilter } from '../../packet/capture-filter.ts';
import { pcapngFrame, pcapngHeader } from '../../packet/pcapng.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { messageOf } from '../../service/errors.ts';
import { problem, type Reply, type StreamReply } from '../../status/reply.ts';
import type { Route } from '../../status/router.ts';

const SNAP_MAX = 65_600;
/** Unsent bytes at which frames are left out: a slow reader must not fill this service's memory. */
const BACKLOG_MAX = 8 * 1024 * 1024;

export type CaptureSource = {
  /** the last look at the kernel; undefined before the first */
  readonly view: () => CycleView | undefined;
  /** UDP port of VXLAN */
  readonly port: number;
};

/** Frames of a network as they pass, for the control socket only: they are what the workloads say to each other. */
export function captureRoute(source: CaptureSource): Route {
  return {
    method: 'GET',
    path: '/v1/capture',
    summary:
      'Frames as pcapng: ?network=NAME, &outer=1 for the VXLAN packets, &filter=WORDS, until the caller hangs up',
    produces: 'application/x-pcapng',
    handle: ({ query }) => open(source, query),
  };
}

function open(source: CaptureSource, query: URLSearchParams): Reply | StreamReply {
  const network = query.get('network') ?? '';
  const outer = query.get('outer') === '1';
  const device = deviceOf(source.view(), network, outer);
  if (device === undefined) {
    return problem(404, `network ${network} has no interface to look at; "linkspan network ls" lists those that have`);
  }
  try {
    const wanted = parseCaptureFilter(query.get('filter') ?? '');
    const tunnel = outer ? parseCaptureFilter(`udp and port ${source.port}`) : undefined;
    const filter = (frame: Uint8Array): boolean => (tunnel?.(frame) ?? true) && wanted(frame);
    return { type: 'application/x-pcapng', open: (response) => stream(device, filter, response) };
  } catch (error) {
    return problem(400, messageOf(error));
  }
}

/** The interface through which a network's frames pass, or the underlay's; undefined where there is none. */
function deviceOf(view: CycleView | undefined, network: string, outer: boolean): string | undefined {
  const attachment = view?.intent.networks.get(network)?.attachment;
  if (attachment === undefined) return undefined;
  if (outer) return view?.seen.underlay?.device;
  return attachment.type === 'veth' ? attachment.bridge : attachment.parent;
}

function stream(device: string, filter: FrameFilter, response: ServerResponse): void {
  response.write(pcapngHeader(device, SNAP_MAX));
  const capture = captureFrames(device, (frame) => {
    if (response.writableLength < BACKLOG_MAX && filter(frame.bytes)) response.write(pcapngFrame(frame));
  });
  response.once('close', () => capture.close());
}

// One thread of the datapath: the way out, the way in, or both. It sleeps in the kernel; its bell means mail.
import { workerData } from 'node:worker_threads';
import { COUNTER, Counters } from '../datapath/counters.ts';
import { Moderation } from '../datapath/moderation.ts';
import { warmUp } from '../datapath/warm-up.ts';
import { memoryCalls } from '../host/memory-calls.ts';
import { Poller, ring } from '../host/poller.ts';
import { openTapBatch } from '../host/tap.ts';
import type { Learned, Mail, StateMail, Thread, WorkerData } from './datapath-mail.ts';
import { takeMail } from './mailbox.ts';
import { TICK_MS, WayIn } from './way-in.ts';
import { WayOut } from './way-out.ts';

const AGEING_MS = 10_000;

const data = workerData as WorkerData;
const calls = memoryCalls();
const batch = openTapBatch(calls);
const counters = new Counters(data.counters);
const thread: Thread = { data, calls, batch, counters, report: (what) => data.mail.postMessage(what) };
const out = data.role === 'ingress' ? undefined : new WayOut(thread);
const into = data.role === 'egress' ? undefined : new WayIn(thread, tellLearned);
let current: StateMail | undefined;
let poller = new Poller(calls, data.bell, []);
const status = { running: true };

function take(mail: Mail): void {
  if (mail.kind === 'stop') status.running = false;
  else if (mail.kind === 'learned') out?.learn(mail);
  else {
    current = mail;
    out?.apply(mail);
    into?.apply(mail);
    watch();
    thread.report({ kind: 'applied', sequence: mail.sequence, batching: batch.kind });
  }
}

/** Sleeps from now on by the TAPs that can be read, and by the underlay. */
function watch(): void {
  const taps = (out?.readable ?? []).map(({ vni }) => current?.taps.get(vni) ?? -1);
  poller = new Poller(calls, data.bell, into && current ? [...taps, current.underlay.receive] : taps);
}

function tellLearned(mail: Learned): void {
  if (data.neighbour.mail === undefined) return out?.learn(mail);
  data.neighbour.mail.postMessage(mail);
  ring(data.neighbour.bell ?? -1);
}

function readMail(): void {
  let more = takeMail(data.mail, (mail) => take(mail as Mail));
  const { mail: neighbour } = data.neighbour;
  if (neighbour !== undefined && takeMail(neighbour, (mail) => take(mail as Mail))) more = true;
  // The rest gets another turn, after the frames that wait.
  if (more) ring(data.bell);
}

/** A TAP that fails is not waited for any more, or its error would wake this thread for ever. */
function carryOut(): void {
  const networks = out?.readable ?? [];
  for (let index = 0; index < networks.length; index += 1) {
    const network = networks[index];
    if (network === undefined || !poller.isReady(index) || out?.carry(network) !== false) continue;
    out.readable = networks.filter((other) => other !== network);
    watch();
    thread.report({ kind: 'tap_gone', sequence: current?.sequence ?? 0, vni: network.vni });
    return;
  }
}

/** While small frames come fast, the next turn waits for more of them. */
function rest(): void {
  const frames = counters.get(COUNTER.sent_frames) + counters.get(COUNTER.received_frames);
  const bytes = counters.get(COUNTER.sent_bytes) + counters.get(COUNTER.received_bytes);
  const microseconds = moderation.restAfter(frames, bytes);
  if (microseconds > 0) calls.rest(microseconds);
}

/** In milliseconds; -1: as long as nothing comes. */
function longestSleep(): number {
  if (into?.ingress === undefined) return -1;
  return into.owes ? TICK_MS : AGEING_MS;
}

const moderation = new Moderation();
let aged = performance.now();
warmUp(data.segment, data.coalesce);
readMail();
while (status.running) {
  const asked = poller;
  if (poller.wait(longestSleep())) readMail();
  // Mail that changes what is waited for makes the answer meaningless; any other must not hold up the frames.
  if (poller !== asked) continue;
  const now = performance.now();
  out?.tick(now);
  into?.tick(now);
  const underlay = out?.readable.length ?? 0;
  carryOut();
  if (into?.ingress !== undefined && poller.isReady(underlay)) into.ingress.carry();
  rest();
  if (now - aged < AGEING_MS) continue;
  aged = now;
  out?.age();
  into?.age(Math.floor(now / 1000));
}
batch.close();

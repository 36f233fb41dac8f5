// What is to be written: a job for each frame or super-frame, with iovecs for writev(2), its virtio header first.
import { VNET } from './headers.as';
import { IOVEC_SIZE, writeIovec } from './iovec.as';

// ---- the memory's map; TypeScript reads these as exported globals
/** `JOB_SIZE` bytes each: iovecs, their number, frames, VNI, Ethernet header, bytes of the frames, peer */
export const JOBS: u32 = 0x1000;
const JOBS_MAX: u32 = 8192;
export const JOB_SIZE: u32 = 32;
const VNETS: u32 = JOBS + JOBS_MAX * JOB_SIZE;
const VNET_SIZE: u32 = 16;
const IOVECS: u32 = VNETS + JOBS_MAX * VNET_SIZE;
const IOVECS_MAX: u32 = 2 * JOBS_MAX;
export const JOBS_END: u32 = IOVECS + IOVECS_MAX * IOVEC_SIZE;

let jobs: u32 = 0;
let iovecs: u32 = 0;

export function jobCount(): u32 {
  return jobs;
}

/** Begins the job list anew, once it has been written; received messages stay. */
export function clearJobs(): void {
  jobs = 0;
  iovecs = 0;
}

/** Whether so many frames have room, even if none is joined to another: a job and two iovecs for each. */
export function hasRoomFor(frames: u32): bool {
  return jobs + frames <= JOBS_MAX && iovecs + 2 * frames <= IOVECS_MAX;
}

/** Begins a job, which counts from `endJob` on. Its frames' bytes follow, by `addIovec`. */
export function beginJob(vni: u32, ethernet: u32, peer: i32, flags: u32): void {
  const job = JOBS + jobs * JOB_SIZE;
  store<u32>(job, IOVECS + iovecs * IOVEC_SIZE);
  store<u32>(job + 12, vni);
  store<u32>(job + 16, ethernet);
  store<i32>(job + 24, peer);
  const vnet = begunVnet();
  store<u64>(vnet, flags);
  store<u16>(vnet + 8, 0);
  addIovec(vnet, VNET);
}

/** Where the virtio header of the job lies that was begun last. */
export function begunVnet(): u32 {
  return VNETS + jobs * VNET_SIZE;
}

export function addIovec(at: u32, length: u32): void {
  writeIovec(IOVECS + iovecs++ * IOVEC_SIZE, at, length);
}

/** Ends the job that was begun: one iovec for each frame behind the virtio header's, `bytes` without that header. */
export function endJob(frames: u32, bytes: u32): void {
  const job = JOBS + jobs++ * JOB_SIZE;
  store<u32>(job + 4, frames + 1);
  store<u32>(job + 8, frames);
  store<u32>(job + 20, bytes);
}

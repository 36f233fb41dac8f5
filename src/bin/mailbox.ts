import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** Mails taken in one go, of each port: a thread carries frames as well, and those wait meanwhile. */
export const MAIL_BATCH = 64;

/**
 * Takes what has come to `port`, at most `MAIL_BATCH` mails.
 * @returns whether more may wait
 */
export function takeMail(port: MessagePort, take: (mail: unknown) => void): boolean {
  for (let taken = 0; taken < MAIL_BATCH; taken += 1) {
    const mail = receiveMessageOnPort(port);
    if (mail === undefined) return false;
    take(mail.message);
  }
  return true;
}

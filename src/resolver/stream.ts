const LENGTH_BYTES = 2;

/** Cuts a TCP stream into DNS messages (RFC 1035 section 4.2.2: two bytes of length before each). */
export class MessageStream {
  #held = Buffer.alloc(0);

  /** Takes what came; returns the messages that are whole now. Holds at most one message, of 64 KiB at most. */
  push(chunk: Buffer): readonly Buffer[] {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const messages: Buffer[] = [];
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + rest.readUInt16BE(0);
      if (rest.length < end) break;
      messages.push(rest.subarray(LENGTH_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#held = Buffer.from(rest);
    return messages;
  }
}

/** A message as it goes into a stream. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

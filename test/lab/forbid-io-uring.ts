// Runs a program as a container's usual seccomp profile would: io_uring_setup(2) is refused. Arguments: the program's argv.
import { address, load } from 'koffi';

const IO_URING_SETUP = 425;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;

/** struct sock_filter: load the system call's number; is it that one? refused with EPERM : allowed */
const RULES = [
  { code: 0x20, yes: 0, no: 0, value: 0 },
  { code: 0x15, yes: 0, no: 1, value: IO_URING_SETUP },
  { code: 0x06, yes: 0, no: 0, value: 0x0005_0001 },
  { code: 0x06, yes: 0, no: 0, value: 0x7fff_0000 },
];
const filter = Buffer.alloc(RULES.length * 8);
for (const [index, { code, yes, no, value }] of RULES.entries()) {
  filter.set([code, 0, yes, no], index * 8);
  filter.writeUInt32LE(value, index * 8 + 4);
}
/** struct sock_fprog */
const program = Buffer.alloc(16);
program.writeUInt16LE(RULES.length);
program.writeBigUInt64LE(address(filter), 8);

const prctl = load('libc.so.6').func(
  'int prctl(int what, unsigned long a, uint8_t *b, unsigned long c, unsigned long d)',
);
if (prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0) !== 0) throw new Error('no PR_SET_NO_NEW_PRIVS');
if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) !== 0) throw new Error('no PR_SET_SECCOMP');
const [file = '', ...rest] = process.argv.slice(2);
process.execve?.(file, [file, ...rest], process.env);

// Switches IPv6 forwarding as on a kernel that cannot do so for single interfaces: on or off.
import { forwardWidely } from '../../../src/host/forwarding6.ts';

forwardWidely(process.argv[2] === 'on');

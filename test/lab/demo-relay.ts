// Run inside a gateway's namespace: what comes in on the unix socket SOCKET goes to 127.0.0.1:PORT there. A unix socket
// is a file, so it crosses the border between namespaces that TCP does not: `demo-relay.ts SOCKET PORT`.
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

const [socket = '', port = ''] = process.argv.slice(2);
const server = createServer((client) => {
  const page = connect(Number(port), '127.0.0.1');
  // A side that goes away takes the other with it; a browser does that all the time.
  pipeline(client, page, client, () => undefined);
});
server.listen(socket, () => process.stdout.write('listening\n'));

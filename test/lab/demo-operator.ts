// The operator of the demo, run inside a gateway's namespace: `demo-operator.ts URL publish < {TOPIC: TEXT}` publishes
// retained messages; `demo-operator.ts URL read FILTER` prints what is retained there as {TOPIC: TEXT}.
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';

const QUIET_MS = 300;

const [url = '', verb, filter = '#'] = process.argv.slice(2);
const client = await connectAsync(url, { connectTimeout: 5000 });
if (verb === 'publish') {
  const messages = Object.entries(JSON.parse(await text(process.stdin)) as Record<string, string>);
  await Promise.all(messages.map(([topic, body]) => client.publishAsync(topic, body, { qos: 1, retain: true })));
} else {
  const seen: Record<string, string> = {};
  client.on('message', (topic, body) => (seen[topic] = body.toString()));
  await client.subscribeAsync(filter, { qos: 1 });
  for (let count = -1; count !== Object.keys(seen).length;) {
    count = Object.keys(seen).length;
    await sleep(QUIET_MS);
  }
  process.stdout.write(JSON.stringify(seen));
}
await client.endAsync();

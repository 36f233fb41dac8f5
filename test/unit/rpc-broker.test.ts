import { expect, test } from '@jest/globals';
import { connect as mqttConnect, connectAsync } from 'mqtt';
import { answerTopic } from '../../src/control/session/topics.ts';
import { cleanups, freePort, gateway, mosquitto, until } from './support/sessions.ts';

test('over mosquitto: the answer comes on the topic beside the request, for this gateway only', async () => {
  const port = await freePort();
  const broker = await mosquitto(port);
  cleanups.unshift(() => broker.close());
  const a = gateway('gw-a', port);
  const operator = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
  cleanups.push(() => operator.endAsync(true));
  const seen: string[] = [];
  operator.on('message', (topic, payload, { retain }) => void seen.push(`${topic} ${payload.toString()} ${retain}`));
  await operator.subscribeAsync('linkspan/v1/plant/gw/+/rpc/res/+', { qos: 1 });
  await until('a is connected', () => a.session.connected);
  const request = (gw: string, id: string): Promise<unknown> =>
    operator.publishAsync(`linkspan/v1/plant/gw/${gw}/rpc/req/${id}`, 'hello', { qos: 1 });
  await until('an answer', () => {
    void request('gw-b', 'x');
    void request('gw-a', 'r-1');
    return seen.length > 0;
  });
  expect(new Set(seen)).toEqual(new Set(['linkspan/v1/plant/gw/gw-a/rpc/res/r-1 r-1 hello false']));
});

test('over MQTT 5: where the request says so the answer comes on another topic, with what it is told by', async () => {
  const port = await freePort();
  const broker = await mosquitto(port);
  cleanups.unshift(() => broker.close());
  const a = gateway('gw-a', port);
  const operator = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  cleanups.push(() => operator.endAsync(true));
  const seen: string[] = [];
  operator.on('message', (topic, payload, { properties }) => {
    seen.push(`${topic} ${payload.toString()} ${properties?.correlationData?.toString()}`);
  });
  await operator.subscribeAsync(['operator/answers', 'linkspan/v1/plant/gw/+/rpc/res/+'], { qos: 1 });
  await until('a is connected', () => a.session.connected);
  const request = (id: string, responseTopic?: string): Promise<unknown> =>
    operator.publishAsync(`linkspan/v1/plant/gw/gw-a/rpc/req/${id}`, 'hello', {
      qos: 1,
      properties: { ...(responseTopic && { responseTopic }), correlationData: Buffer.from(`c-${id}`) },
    });
  await until('an answer', () => {
    void request('1', 'operator/answers');
    return seen.length > 0;
  });
  await request('2');
  // nobody has the gateway write where it should not
  await request('3', 'linkspan/v1/plant/gw/gw-b/desired');
  // nor where the broker ends the connection for it
  await request('4', `${'a/'.repeat(300)}b`);
  await until('the others', () => seen.some((one) => one.includes('c-4')));
  expect(a.session.connected).toBe(true);
  expect(new Set(seen)).toEqual(
    new Set([
      'operator/answers 1 hello c-1',
      'linkspan/v1/plant/gw/gw-a/rpc/res/2 2 hello c-2',
      'linkspan/v1/plant/gw/gw-a/rpc/res/3 3 hello c-3',
      'linkspan/v1/plant/gw/gw-a/rpc/res/4 4 hello c-4',
    ]),
  );
});

test.each(['a/+', '#', '$SYS/x', 'linkspan/v1/plant/vni/1/gw/gw-a', 'linkspan/v2/x'])(
  'an answer never goes to %s',
  (wanted) => {
    expect(answerTopic('plant', 'gw-a', '1', wanted)).toBe('linkspan/v1/plant/gw/gw-a/rpc/res/1');
  },
);

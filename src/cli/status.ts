import type { GatewayStatus } from '../model/status.ts';
import { visible } from '../model/text.ts';
import { endpointTable, heardTable, networkTable, peerTable, uplinkTable } from './columns.ts';
import { trialWords } from './commit.ts';
import { EXIT } from './exit.ts';
import { firmwareLines } from './firmware-words.ts';
import { refusalLines, trustLine } from './keys.ts';
import type { Output } from './output.ts';
import type { Verb } from './verb.ts';

/** `linkspan status`: the gateway in one screen; exit 0 only while it is healthy and ready. */
export const STATUS_VERBS: readonly Verb[] = [
  {
    name: 'status',
    usage: '',
    summary: "the gateway's health, configuration, networks and peers",
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const status = await client.get<GatewayStatus>('/v1/status');
      if (json) output.json(status);
      else show(status, output);
      return status.health.ok && status.health.ready ? EXIT.ok : EXIT.failed;
    },
  },
];

function show(status: GatewayStatus, output: Output): void {
  const { health } = status;
  const word = health.ok ? (health.ready ? 'healthy' : 'not ready') : 'degraded';
  const colour = health.ok ? (health.ready ? 'green' : 'yellow') : 'red';
  output.painted(`${output.paint('bold', visible(status.gateway))}  ${output.paint(colour, word)}`);
  for (const reason of health.reasons) output.line(`  ${reason}`);
  output.line(
    `fleet    ${status.fleet}, Linkspan ${status.version}, epoch ${status.epoch ?? 'not stored'}, up ${status.uptime_s} s`,
  );
  showConfig(status, output);
  output.line('');
  networkTable(output, status.networks);
  output.line('');
  if (status.uplinks.length > 0) {
    uplinkTable(output, status.uplinks);
    output.line('');
    heardTable(output, status.uplinks);
  }
  endpointTable(output, status.endpoints);
  output.line('');
  peerTable(output, status.peers);
  const drops = Object.entries(status.drops).filter(([, count]) => count > 0);
  const { suppressed_requests: answered } = status;
  if (answered > 0 || drops.length > 0) output.line('');
  if (answered > 0) output.line(`answered ${answered} requests for neighbours at other sites`);
  if (drops.length > 0) output.line(`dropped  ${drops.map(([reason, count]) => `${reason} ${count}`).join(', ')}`);
}

function showConfig({ broker, config, firmware, trust }: GatewayStatus, output: Output): void {
  output.line(
    `config   version ${config.applied_version ?? 'none'}, ${config.state}, last known good ${config.lkg_version ?? 'none'}`,
  );
  if (config.candidate) output.line(`  ${trialWords(config.candidate)}`);
  for (const error of config.errors) output.line(`  ${error.path || '/'}: ${error.message}`);
  output.line(`broker   ${broker.connected ? 'connected' : 'not connected'}, ${broker.url}`);
  if (firmware) for (const line of firmwareLines(firmware)) output.line(line);
  output.line(`trust    ${trustLine(trust)}`);
  for (const line of refusalLines(trust)) output.line(`  ${line}`);
}

import { run } from './run.ts';

/** Has systemd stop all services and start the machine anew; returns before it does. */
export async function restartMachine(): Promise<void> {
  await run(['systemctl', 'reboot']);
}

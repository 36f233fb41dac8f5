/** The part of node-wifi 2.0.16 that is used here; it comes without types. Each promise rejects with nmcli's failure. */
declare module 'node-wifi' {
  type NodeWifi = {
    init(options: { readonly iface: string }): void;
    scan(): Promise<unknown>;
    connect(network: { readonly ssid: string }): Promise<void>;
    disconnect(): Promise<void>;
  };
  const wifi: NodeWifi;
  export default wifi;
}

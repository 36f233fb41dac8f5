/** Numbers of linux/rtnetlink.h, linux/if_link.h and linux/neighbour.h that more than one message needs. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
  NEWNEIGH: 28,
  GETNEIGH: 30,
} as const;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  GROUP: 27,
  PROMISCUITY: 30,
  EXT_MASK: 29,
  LINK_NETNSID: 37,
} as const;

export const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;

/** struct ifinfomsg, all zero: any interface, or the one that an attribute names */
export const INTERFACE_INFO = Buffer.alloc(16);

/** struct rtmsg's and struct ifaddrmsg's families, as in sys/socket.h */
export const FAMILY = { BRIDGE: 7, IPV4: 2, IPV6: 10 } as const;

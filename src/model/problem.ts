/**
 * Something wrong that a person can mend. `path` is a JSON pointer into the desired document where there is one;
 * `message` names the object and what to do about it.
 */
export type Problem = { readonly path: string; readonly code: ProblemCode; readonly message: string };

export type ProblemCode =
  | 'malformed'
  | 'too_large'
  | 'schema'
  | 'unknown_driver'
  | 'unsupported'
  | 'vni_range'
  | 'duplicate_vni'
  | 'duplicate_vlan'
  | 'duplicate_mac'
  | 'duplicate_address'
  | 'duplicate_interface'
  | 'duplicate_port'
  | 'subnet_overlap'
  | 'address_outside_subnet'
  | 'address_required'
  | 'missing_uplink'
  | 'missing_network'
  | 'missing_interface'
  | 'wrong_gateway'
  | 'engine_conflict'
  | 'unpublishable'
  | 'version_old'
  | 'version_conflict'
  // of a request over the broker
  | 'unknown_method'
  | 'id_reused'
  | 'busy'
  | 'expired'
  // found while applying, not in the document itself
  | 'waiting'
  | 'document_lost'
  | 'name_taken'
  | 'parent_busy'
  | 'port_taken'
  | 'engine_unavailable'
  | 'guards_unavailable'
  | 'path_mtu'
  | 'subnet_mismatch'
  | 'names_unavailable'
  | 'mac_limit'
  | 'loop'
  | 'wifi_failed'
  | 'wifi_lost'
  | 'pool_exhausted'
  | 'no_lease'
  | 'failed';

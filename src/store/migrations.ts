/** Marks a file as ours in SQLite's header (`PRAGMA application_id`): "LSPN". */
export const APPLICATION_ID = 0x4c53504e;

/** The schema, step by step: entry N brings a database from `user_version` N to N + 1. Never edit one that shipped. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

   CREATE TABLE documents (
     version INTEGER PRIMARY KEY,
     hash TEXT NOT NULL,
     body TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('candidate', 'applied', 'rolled_back')),
     received_at INTEGER NOT NULL,
     applied_order INTEGER UNIQUE
   ) STRICT;

   CREATE TABLE leases (
     network TEXT NOT NULL,
     workload TEXT NOT NULL,
     family INTEGER NOT NULL CHECK (family IN (4, 6)),
     address TEXT NOT NULL,
     PRIMARY KEY (network, workload, family),
     UNIQUE (network, address)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE attachments (
     workload TEXT NOT NULL,
     network TEXT NOT NULL,
     body TEXT NOT NULL CHECK (json_valid(body)),
     PRIMARY KEY (workload, network)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE endpoints (
     workload TEXT NOT NULL,
     network TEXT NOT NULL,
     sandbox TEXT NOT NULL,
     interface TEXT NOT NULL,
     mac TEXT NOT NULL,
     PRIMARY KEY (workload, network)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE peer_records (
     vni INTEGER NOT NULL,
     gw TEXT NOT NULL,
     body TEXT NOT NULL CHECK (json_valid(body)),
     PRIMARY KEY (vni, gw)
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE peer_floors (
     key TEXT PRIMARY KEY,
     epoch INTEGER NOT NULL,
     seq INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE peer_alives (
     gw TEXT PRIMARY KEY,
     body TEXT NOT NULL CHECK (json_valid(body))
   ) STRICT, WITHOUT ROWID;`,

  `CREATE TABLE docker_networks (
     id TEXT PRIMARY KEY,
     body TEXT NOT NULL CHECK (json_valid(body))
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE docker_endpoints (
     id TEXT PRIMARY KEY,
     body TEXT NOT NULL CHECK (json_valid(body))
   ) STRICT, WITHOUT ROWID;

   CREATE TABLE docker_addresses (
     network TEXT NOT NULL,
     address TEXT NOT NULL,
     pool TEXT NOT NULL,
     PRIMARY KEY (network, address)
   ) STRICT, WITHOUT ROWID;`,

  `CREATE TABLE dhcp_leases (
     key TEXT PRIMARY KEY,
     body TEXT NOT NULL CHECK (json_valid(body))
   ) STRICT, WITHOUT ROWID;`,

  `CREATE TABLE trust_records (
     fleet_key TEXT NOT NULL,
     gw TEXT NOT NULL,
     body TEXT NOT NULL CHECK (json_valid(body)),
     PRIMARY KEY (fleet_key, gw)
   ) STRICT, WITHOUT ROWID;`,

  `ALTER TABLE documents ADD COLUMN source TEXT CHECK (source IN ('mqtt', 'cli', 'rpc'));
   ALTER TABLE documents ADD COLUMN settled_at INTEGER;
   ALTER TABLE documents ADD COLUMN problems TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(problems));

   CREATE TABLE trial (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL CHECK (json_valid(body))) STRICT;`,

  `CREATE TABLE rpc_changes (
     nth INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     digest TEXT NOT NULL,
     answer TEXT
   ) STRICT;`,

  `CREATE TABLE documents_next (
     version INTEGER PRIMARY KEY,
     hash TEXT NOT NULL,
     body TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('candidate', 'applied', 'rolled_back', 'superseded')),
     received_at INTEGER NOT NULL,
     applied_order INTEGER UNIQUE,
     source TEXT CHECK (source IN ('mqtt', 'cli', 'rpc')),
     settled_at INTEGER,
     problems TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(problems))
   ) STRICT;
   INSERT INTO documents_next SELECT version, hash, body,
     CASE WHEN state = 'candidate' AND version <> coalesce((SELECT value FROM meta WHERE key = 'running'),
       (SELECT max(version) FROM documents WHERE state <> 'rolled_back')) THEN 'superseded' ELSE state END,
     received_at, applied_order, source, settled_at, problems FROM documents;
   DROP TABLE documents;
   ALTER TABLE documents_next RENAME TO documents;`,
];

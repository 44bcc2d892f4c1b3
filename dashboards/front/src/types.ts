import { type DataQuery } from '@grafana/schema';
import { type DataSourceJsonData } from '@grafana/data';

/** An ad hoc filter as it is sent: `key` is one of FILTER_KEYS. */
export interface Filter {
  key: string;
  operator: string;
  value: string;
  /** Of the operators with a list, =| and !=|. */
  values?: string[];
}

/** One question. `queryType` selects it; QUERY_TYPES says which members belong to it, and the backend ignores the others. */
export interface FlyballQuery extends DataQuery {
  agent?: string;
  tenant?: string;
  run?: string;
  resource?: string;
  family?: string;
  state?: string;
  /** The answer is about one run: without a run it has no rows. */
  oneRun?: boolean;
  /** Findings and runs of this level and above: annotate, alert or trip; empty is all. */
  minLevel?: string;
  /** Order of runs: worst (the default) or latest. */
  sort?: string;
  /** What a count counts, or what a variable lists. */
  of?: string;
  /** What a series is split by. */
  by?: string;
  /** Part of the pipeline, for health. */
  part?: string;
  sql?: string;
  /** First letters of a variable's values. */
  prefix?: string;
  /** Of the agents that a variable lists. */
  owner?: string;
  /** Kinds of annotations, separated by commas; empty is all. */
  kinds?: string;
  /** Maximum number of rows; 0 is 200, at most MAX_LIMIT. */
  limit?: number;
  filters?: Filter[];
  /** Rows appear as they come, through a channel that the backend names: of runs the latest, of breakers the trips. */
  live?: boolean;
  /** The member for which a variable has several values: such a question is refused. Set when variables are filled in. */
  several?: string;
}

export const MAX_LIMIT = 5000;

/** What ad hoc filters can be on; the backend refuses an operator that a question cannot answer. */
export const FILTER_KEYS = ['agent', 'owner', 'family', 'level', 'state', 'tenant'] as const;

/** What a Grafana role may do with Flyball; each includes the ones before it. */
export type Right = 'none' | 'see' | 'respond' | 'bypass';
export type GrafanaRole = 'Viewer' | 'Editor' | 'Admin';

export interface FlyballOptions extends DataSourceJsonData {
  /** host:port of ClickHouse's HTTP interface. */
  addr?: string;
  database?: string;
  user?: string;
  /** When set, every question is of this tenant only. */
  tenant?: string;
  tls?: boolean;
  tlsSkipVerify?: boolean;
  /** http(s) address of Flyball's control API; empty: no actions. */
  controlUrl?: string;
  roles?: Partial<Record<GrafanaRole, Right>>;
  /** What a user must be allowed to do to run SQL: see (the default), respond or bypass; none: nobody. */
  sql?: Right;
}

/** Never sent back to the browser once saved. */
export interface FlyballSecrets {
  password?: string;
  controlToken?: string;
  caCert?: string;
}

export const DEFAULT_ROLES: Record<GrafanaRole, Right> = { Viewer: 'see', Editor: 'respond', Admin: 'respond' };

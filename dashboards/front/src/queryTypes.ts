import { type FlyballQuery, MAX_LIMIT } from './types';

/** The members of a query that a person sets in the editor. */
export type Member = Exclude<keyof FlyballQuery, 'refId' | 'hide' | 'key' | 'queryType' | 'datasource' | 'filters' | 'several'>;

export interface Choice {
  value: string;
  label: string;
  description?: string;
}

export interface QueryType extends Choice {
  description: string;
  /** In the order of the editor. */
  members: Member[];
  /** Members without which the question has no answer: with an empty one it is not sent. */
  needs?: Member[];
  /** Words that a member can be. Where none of them is empty, choosing the type sets the first. */
  choices?: Partial<Record<Member, Choice[]>>;
}

const choice = (value: string, label = value): Choice => ({ value, label });

const LEVELS: Choice[] = [choice('', 'any'), choice('annotate'), choice('alert'), choice('trip')];

export const ANNOTATION_KINDS: Choice[] = [
  choice('trips', 'Trips of breakers'),
  choice('bypass', 'Bypasses'),
  choice('baseline', 'New baselines'),
  choice('version', 'New versions of agents'),
];

/** Every question that the backend answers, in the order of the list. VARIABLE_TYPE is asked by VariableQueryEditor only. */
export const QUERY_TYPES: QueryType[] = [
  {
    value: 'runs', label: 'Runs', description: 'runs of agents, the worst first',
    members: ['agent', 'run', 'oneRun', 'minLevel', 'sort', 'live', 'tenant', 'limit'],
    choices: { minLevel: LEVELS, sort: [choice('worst', 'worst first'), choice('latest', 'latest first')] },
  },
  {
    value: 'findings', label: 'Findings', description: 'what the detector found, the worst first',
    members: ['agent', 'run', 'oneRun', 'minLevel', 'family', 'state', 'tenant', 'limit'],
    choices: { minLevel: LEVELS, state: [choice('', 'any'), choice('open'), choice('closed')] },
  },
  {
    value: 'held', label: 'Held now', description: 'what breakers hold now, one row a scope',
    members: ['agent', 'run', 'oneRun', 'tenant', 'limit'],
  },
  {
    value: 'breakers', label: 'Breakers', description: 'the history of breakers, one row a change',
    members: ['agent', 'state', 'live', 'tenant', 'limit'], choices: { state: [choice('', 'any change'), choice('trips')] },
  },
  {
    value: 'gates', label: 'Gates', description: 'questions for approval',
    members: ['agent', 'run', 'oneRun', 'state', 'tenant', 'limit'], choices: { state: [choice('', 'any'), choice('waiting')] },
  },
  {
    value: 'agents', label: 'Agents', description: 'one row an agent',
    members: ['agent', 'minLevel', 'tenant', 'limit'], choices: { minLevel: LEVELS },
  },
  {
    value: 'routes', label: 'Routes', description: 'the routes that an agent or a run called, the most dangerous first',
    members: ['agent', 'run', 'tenant', 'limit'],
  },
  { value: 'trace', label: 'Trace', description: 'the calls of one run as a trace', members: ['run', 'limit'], needs: ['run'] },
  {
    value: 'touched', label: 'Touched', description: 'what one run touched, the most dangerous first',
    members: ['run', 'limit'], needs: ['run'],
  },
  {
    value: 'touched_graph', label: 'Touched, as a graph', description: 'run, services and resources as a node graph',
    members: ['run', 'limit'], needs: ['run'],
  },
  {
    value: 'resource', label: 'Resource', description: 'which runs touched one resource',
    members: ['resource', 'tenant', 'limit'], needs: ['resource'],
  },
  {
    value: 'score', label: 'Score', description: 'the score of one run over its calls, with its contributions',
    members: ['run'], needs: ['run'],
  },
  {
    value: 'distribution', label: 'Distribution', description: 'one figure of runs: of an agent, its peers and people',
    members: ['of', 'agent', 'by', 'tenant'],
    choices: {
      of: [
        choice('calls', 'calls'), choice('writes', 'calls that may change something'), choice('irreversible_calls', 'irreversible calls'),
        choice('errors', 'share of failed calls'), choice('denied', 'share of denied calls'), choice('resources', 'different resources'),
        choice('routes', 'different routes'), choice('bytes_out', 'data in the answers'), choice('tokens'),
        choice('duration', 'time from first to last call'), choice('score'),
      ],
      by: [choice('', 'histogram'), choice('time', 'heatmap over time'), choice('quantile', 'quantiles, for an alert rule')],
    },
  },
  {
    value: 'calls', label: 'Calls', description: 'calls over time', members: ['agent', 'by', 'tenant'],
    choices: { by: [choice('', 'not split'), choice('outcome'), choice('reversibility')] },
  },
  {
    value: 'count', label: 'Count', description: 'a number over time, for a stat or an alert rule',
    members: ['of', 'by', 'agent', 'tenant'],
    choices: {
      of: [
        choice('trips'), choice('findings'), choice('gates_waiting', 'gates waiting'), choice('held', 'held now'),
        choice('dead_letters', 'dead letters'), choice('calls'),
        choice('denied', 'denied calls'), choice('irreversible', 'irreversible calls'),
        choice('lag_seconds', 'lag in seconds'), choice('stale_points', 'stale points'),
        choice('bypasses', 'bypasses in force'),
        choice('trips_over_budget', 'trips over the budget'),
      ],
      by: [choice('', 'not split'), choice('agent'), choice('level'), choice('family'), choice('reader'), choice('point')],
    },
  },
  { value: 'logs', label: 'Logs', description: 'calls of a run or an agent as log lines', members: ['run', 'agent', 'tenant', 'limit'] },
  {
    value: 'health', label: 'Health', description: 'state of a part of Flyball, and what to do', members: ['part'],
    choices: { part: [choice('', 'all'), choice('ingest'), choice('detect'), choice('stitching'), choice('store'), choice('breakers'),
      choice('bypass', 'bypasses in force')] },
  },
  {
    value: 'quality', label: 'Detection quality', description: 'achieved and nominal rates by level, trips, verdicts',
    members: ['tenant'],
  },
  { value: 'sql', label: 'SQL', description: 'a SELECT over the views', members: ['sql', 'agent', 'limit'], needs: ['sql'] },
  {
    value: 'annotations', label: 'Annotations', description: 'events to draw over other panels',
    members: ['kinds', 'agent', 'tenant', 'limit'],
  },
];

/** What a dashboard variable can list. */
export const VARIABLES: Choice[] = [
  choice('agents', 'Agents'), choice('runs', 'Runs'), choice('resources', 'Resources'), choice('families', 'Families of findings'),
  choice('owners', 'Owners'), choice('tenants', 'Tenants'),
];

/** The type of the query behind a dashboard variable. */
export const VARIABLE_TYPE = { value: 'variable', label: 'Variable' };

export const DEFAULT_QUERY: Partial<FlyballQuery> = { queryType: 'runs' };

/** The type of a query; a type that this version does not know is undefined. */
export function typeOf(query: Partial<FlyballQuery>): QueryType | undefined {
  return QUERY_TYPES.find((t) => t.value === (query.queryType || DEFAULT_QUERY.queryType));
}

/** The types that a data source can be asked: one that is bound to a tenant refuses SQL and what is about all of Flyball. */
export function typesFor(boundTenant?: string): QueryType[] {
  return boundTenant ? QUERY_TYPES.filter((t) => t.value !== 'sql' && t.value !== 'health') : QUERY_TYPES;
}

/** What each count can be split by, beside not at all. */
const SPLITS: Record<string, string[]> = {
  trips: ['agent', 'family'], findings: ['agent', 'level', 'family'], dead_letters: [], lag_seconds: ['reader'], stale_points: ['point'],
  bypasses: [], trips_over_budget: [],
};

/** The words that a member of a query can be; undefined: any text. */
export function choicesOf(query: Partial<FlyballQuery>, member: Member): Choice[] | undefined {
  const choices = typeOf(query)?.choices?.[member];
  if (query.queryType !== 'count' || member !== 'by') {
    return choices;
  }
  const splits = SPLITS[query.of ?? ''] ?? ['agent'];
  return choices?.filter((c) => c.value === '' || splits.includes(c.value));
}

/** The query with another member; a split that the new count does not know is dropped. */
export function withMember(query: FlyballQuery, change: Partial<FlyballQuery>): FlyballQuery {
  const next = { ...query, ...change };
  return next.by && !choicesOf(next, 'by')?.some((c) => c.value === next.by) ? { ...next, by: '' } : next;
}

/** Whether a needed member is empty, so that there is nothing to ask. */
export function lacksNeeded(query: FlyballQuery): boolean {
  return (typeOf(query)?.needs ?? []).some((m) => !String(query[m] ?? '').trim());
}

/** The query as one of another type: members that the new type has not, or choices that it does not know, are dropped. */
export function withType(query: FlyballQuery, value: string): FlyballQuery {
  const { refId, hide, key, datasource, filters } = query;
  const next: FlyballQuery = { refId, queryType: value };
  for (const [name, kept] of Object.entries({ hide, key, datasource, filters })) {
    if (kept !== undefined) {
      Object.assign(next, { [name]: kept });
    }
  }
  const type = typeOf(next);
  for (const m of type?.members ?? []) {
    const choices = type?.choices?.[m];
    if (query[m] !== undefined && (!choices || choices.some((c) => c.value === query[m]))) {
      Object.assign(next, { [m]: query[m] });
    } else if (choices?.[0].value) {
      Object.assign(next, { [m]: choices[0].value });
    }
  }
  return next;
}

/** What is wrong with a limit; empty is 0. */
export function limitProblem(text: string): string | undefined {
  const ok = /^\d*$/.test(text.trim()) && Number(text) <= MAX_LIMIT;
  return ok ? undefined : `"${text}" is no whole number from 0 to ${MAX_LIMIT}; 0 or empty means 200`;
}

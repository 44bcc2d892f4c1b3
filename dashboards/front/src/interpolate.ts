import { type AdHocVariableFilter, type ScopedVars } from '@grafana/data';
import { type TemplateSrv } from '@grafana/runtime';
import { type FlyballQuery, type Filter } from './types';

type Replacer = Pick<TemplateSrv, 'replace'>;

/** A value of a variable inside the quotes of an SQL text; several values, which stand without quotes, get their own. */
export function sqlValue(value: unknown): string {
  const escaped = (v: unknown) => String(v).replace(/\\/g, '\\\\').replace(/'/g, "\\'");
  return Array.isArray(value) ? value.map((v) => `'${escaped(v)}'`).join(',') : escaped(value);
}

/** Scoped variables without the interval: the backend expands $__interval in SQL, as it knows the form that ClickHouse reads. */
function withoutInterval(scoped: ScopedVars): ScopedVars {
  return Object.fromEntries(Object.entries(scoped).filter(([name]) => name !== '__interval' && name !== '__interval_ms'));
}

function filterOf(f: AdHocVariableFilter | Filter, fill: (s: string) => string): Filter {
  const filter = { key: f.key, operator: f.operator, value: fill(f.value) };
  return f.values?.length ? { ...filter, values: f.values.map(fill) } : filter;
}

const NOT_TEXT_OF_A_PERSON = new Set(['refId', 'queryType', 'key', 'sql']);

/**
 * Fills dashboard variables into every text of a query and adds the dashboard's ad hoc filters to the query's own. Where a variable has
 * several values, `several` names the member: Grafana would write them as {a,b}, which is also a name that an agent can have.
 */
export function interpolate(query: FlyballQuery, scoped: ScopedVars, srv: Replacer, adhoc: AdHocVariableFilter[] = []): FlyballQuery {
  let several = '';
  const fill = (s: string, member = 'filters') => srv.replace(s, scoped, (value: unknown) => {
    several = Array.isArray(value) && value.length > 1 ? member : several;
    return String(value ?? '');
  });
  const filled = Object.entries(query).map(([name, v]) => (
    [name, typeof v === 'string' && !NOT_TEXT_OF_A_PERSON.has(name) ? fill(v, name) : v]));
  const next: FlyballQuery = { ...query, ...Object.fromEntries(filled) };
  if (query.sql) {
    next.sql = srv.replace(query.sql, withoutInterval(scoped), sqlValue);
  }
  const filters = [...(query.filters ?? []), ...adhoc].filter((f) => f.key).map((f) => filterOf(f, (s) => fill(s)));
  if (filters.length > 0) {
    next.filters = filters;
  }
  if (several) {
    next.several = several;
  }
  return next;
}

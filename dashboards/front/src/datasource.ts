import {
  type AdHocVariableFilter, type AnnotationSupport, CoreApp, type DataQueryRequest, type DataQueryResponse,
  type DataSourceGetTagValuesOptions, type DataSourceInstanceSettings, type MetricFindValue, type ScopedVars, StreamingFrameAction,
  type TimeRange, getDefaultTimeRange,
} from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import { lastValueFrom, map, type Observable } from 'rxjs';
import { type Completes, type Completion, type Offer } from './completion';
import { interpolate } from './interpolate';
import { withLinks } from './links';
import { DEFAULT_QUERY, lacksNeeded, VARIABLE_TYPE } from './queryTypes';
import { FILTER_KEYS, type FlyballOptions, type FlyballQuery, MAX_LIMIT } from './types';
import { valuesOf } from './values';
import { FlyballVariables } from './variables';

/** Values of ad hoc filters: a list that a variable gives, or fixed words. */
const FILTER_VALUES: Record<string, { of: string } | string[]> = {
  agent: { of: 'agents' },
  owner: { of: 'owners' },
  family: { of: 'families' },
  tenant: { of: 'tenants' },
  level: ['annotate', 'alert', 'trip'],
  state: ['open', 'closed'],
};

/** Flyball as a data source: questions go to the backend; here variables are filled in and empty questions held back. */
export class FlyballDatasource extends DataSourceWithBackend<FlyballQuery, FlyballOptions> implements Completes {
  annotations: AnnotationSupport<FlyballQuery> = { getDefaultQuery: () => ({ queryType: 'annotations', kinds: 'trips' }) };
  readonly tenant: string;

  constructor(settings: DataSourceInstanceSettings<FlyballOptions>) {
    super(settings);
    this.tenant = settings.jsonData?.tenant ?? '';
    // Every message of a channel is the whole table.
    this.streamOptionsProvider = () => ({ maxLength: MAX_LIMIT, action: StreamingFrameAction.Replace });
    this.variables = new FlyballVariables(this);
  }

  getDefaultQuery(_app: CoreApp): Partial<FlyballQuery> {
    return DEFAULT_QUERY;
  }

  query(request: DataQueryRequest<FlyballQuery>): Observable<DataQueryResponse> {
    const answer = super.query(request);
    return request.app === CoreApp.Explore ? answer.pipe(map((r) => withLinks(r, this))) : answer;
  }

  /** Runs before variables are filled in: `${run}` passes here, and the backend decides again on what it became. */
  filterQuery(query: FlyballQuery): boolean {
    return !query.hide && !lacksNeeded(query);
  }

  applyTemplateVariables(query: FlyballQuery, scoped: ScopedVars, filters?: AdHocVariableFilter[]): FlyballQuery {
    return interpolate(query, scoped, getTemplateSrv(), filters);
  }

  /** For "Explore" on a panel: the query as it was sent. */
  interpolateVariablesInQueries(queries: FlyballQuery[], scoped: ScopedVars, filters?: AdHocVariableFilter[]): FlyballQuery[] {
    return queries.map((q) => ({ ...this.applyTemplateVariables(q, scoped, filters), datasource: this.getRef() }));
  }

  getTagKeys(): Promise<MetricFindValue[]> {
    const keys = this.tenant ? FILTER_KEYS.filter((k) => k !== 'tenant') : FILTER_KEYS;
    return Promise.resolve(keys.map((text) => ({ text })));
  }

  async getTagValues(options: DataSourceGetTagValuesOptions<FlyballQuery>): Promise<MetricFindValue[]> {
    const values = FILTER_VALUES[options.key] ?? [];
    return Array.isArray(values) ? values.map((text) => ({ text })) : this.list(values.of, options.timeRange);
  }

  async complete(what: Completion, prefix: string): Promise<Offer[]> {
    try {
      const got: unknown = await this.getResource(what, { prefix }, { showErrorAlert: false });
      return Array.isArray(got) ? (got as Offer[]).filter((v) => v?.value) : [];
    } catch {
      return [];
    }
  }

  private async list(of: string, range: TimeRange = getDefaultTimeRange()): Promise<MetricFindValue[]> {
    const targets: FlyballQuery[] = [{ refId: 'values', queryType: VARIABLE_TYPE.value, of }];
    const request = { targets, range, scopedVars: {}, intervalMs: 60_000, maxDataPoints: 1000, requestId: `flyball-${of}` };
    const answer = await lastValueFrom(this.query(request as unknown as DataQueryRequest<FlyballQuery>));
    if (answer.errors?.length) {
      throw new Error(`values of ${of}: ${answer.errors[0].message}`);
    }
    return valuesOf(answer.data[0]);
  }
}

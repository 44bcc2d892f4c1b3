import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse } from '@grafana/data';
import { type Observable } from 'rxjs';
import { VariableQueryEditor } from './components/VariableQueryEditor';
import { type Source } from './completion';
import { VARIABLE_TYPE } from './queryTypes';
import { type FlyballQuery } from './types';

export const DEFAULT_VARIABLE: Partial<FlyballQuery> = { queryType: VARIABLE_TYPE.value, of: 'agents' };

/** Query variables: the question is of type VARIABLE_TYPE whatever was saved, and its frame has `text` and `value`. */
export class FlyballVariables extends CustomVariableSupport<Source, FlyballQuery> {
  editor = VariableQueryEditor;

  constructor(private readonly datasource: Source) {
    super();
  }

  getDefaultQuery(): Partial<FlyballQuery> {
    return DEFAULT_VARIABLE;
  }

  query(request: DataQueryRequest<FlyballQuery>): Observable<DataQueryResponse> {
    const targets = request.targets.map((q) => ({
      ...q, of: q.of || DEFAULT_VARIABLE.of, queryType: VARIABLE_TYPE.value, refId: q.refId || 'variable',
    }));
    return this.datasource.query({ ...request, targets });
  }
}

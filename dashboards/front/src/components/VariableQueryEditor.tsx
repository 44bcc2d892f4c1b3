import { type QueryEditorProps } from '@grafana/data';
import React from 'react';
import { type Source } from '../completion';
import { type Choice, VARIABLE_TYPE, VARIABLES } from '../queryTypes';
import { type FlyballOptions, type FlyballQuery } from '../types';
import { ChoiceField, CompletedField, LimitField, TextField } from './fields';

type Props = QueryEditorProps<Source, FlyballQuery, FlyballOptions, FlyballQuery>;

const choicesFor = (tenant?: string): Choice[] => (tenant ? VARIABLES.filter((v) => v.value !== 'tenants') : VARIABLES);

/** What a dashboard variable lists. */
export function VariableQueryEditor({ query: given, datasource, onChange, onRunQuery }: Props) {
  const query: FlyballQuery = {
    ...given, refId: given?.refId || 'variable', queryType: VARIABLE_TYPE.value, of: given?.of || 'agents',
  };
  const send = (change: Partial<FlyballQuery>) => {
    onChange({ ...query, ...change });
    onRunQuery();
  };
  return (
    <div data-testid="flyball-variable">
      <ChoiceField label="List" value={query.of ?? ''} choices={choicesFor(datasource?.tenant)} onChange={(of) => send({ of })} />
      <TextField
        label="Begins with" tooltip="First letters of the values; may be another variable." placeholder="anything"
        value={query.prefix ?? ''} onCommit={(prefix) => send({ prefix })} onEnter={onRunQuery}
      />
      {(query.of === 'runs' || query.of === 'resources') && (
        <CompletedField
          label="Agent" tooltip="Only of this agent; may be another variable." placeholder="all" what="agents" datasource={datasource}
          value={query.agent ?? ''} onCommit={(agent) => send({ agent })} onEnter={onRunQuery}
        />
      )}
      {query.of === 'agents' && (
        <TextField
          label="Owner" tooltip="Only agents of this owner, by the manifests in force; may be another variable." placeholder="all"
          value={query.owner ?? ''} onCommit={(owner) => send({ owner })} onEnter={onRunQuery}
        />
      )}
      <LimitField value={query.limit} onCommit={(limit) => send({ limit })} onEnter={onRunQuery} />
    </div>
  );
}

import { type QueryEditorProps } from '@grafana/data';
import { Alert, Checkbox, InlineField } from '@grafana/ui';
import React, { useId } from 'react';
import { type Source } from '../completion';
import { ANNOTATION_KINDS, choicesOf, DEFAULT_QUERY, type Member, typeOf, typesFor, withMember, withType } from '../queryTypes';
import { type FlyballOptions, type FlyballQuery } from '../types';
import { ChoiceField, CompletedField, LimitField, SqlField, TextField } from './fields';

type Props = QueryEditorProps<Source, FlyballQuery, FlyballOptions>;

const TEXTS: Partial<Record<Member, { label: string; tooltip: string; placeholder: string }>> = {
  agent: { label: 'Agent', tooltip: 'The exact name; empty is all.', placeholder: 'all' },
  run: { label: 'Run', tooltip: 'The id of a run, or the key that the agent gave it.', placeholder: '$run' },
  resource: { label: 'Resource', tooltip: 'As the column "resource" names it: type:id.', placeholder: '$resource' },
  family: { label: 'Family', tooltip: 'Family of findings; empty is all.', placeholder: 'all' },
  tenant: { label: 'Tenant', tooltip: 'Empty is all.', placeholder: 'all' },
};

const CHOICE_LABELS: Partial<Record<Member, string>> = {
  minLevel: 'Least level', sort: 'Order', state: 'State', of: 'Count', by: 'Split by', part: 'Part',
};

/** The label of a choice: what a member is called depends on the question. */
const labelOf = (query: FlyballQuery, member: Member): string =>
  (query.queryType === 'distribution' ? { of: 'Figure', by: 'Drawn as' } as Partial<Record<Member, string>> : CHOICE_LABELS)[member] ??
  CHOICE_LABELS[member] ?? member;

interface MemberProps {
  member: Member;
  query: FlyballQuery;
  datasource: Source;
  set: (change: Partial<FlyballQuery>) => void;
  run: () => void;
}

function MemberField({ member, query, datasource, set, run }: MemberProps) {
  const choices = choicesOf(query, member);
  if (choices) {
    const value = String(query[member] || (member === 'sort' ? 'worst' : ''));
    const label = labelOf(query, member);
    return <ChoiceField label={label} value={value} choices={choices} onChange={(v) => set({ [member]: v })} />;
  }
  switch (member) {
    case 'limit':
      return <LimitField value={query.limit} onCommit={(limit) => set({ limit })} onEnter={run} />;
    case 'sql':
      return <SqlField value={query.sql ?? ''} onCommit={(sql) => set({ sql })} onEnter={run} />;
    case 'live':
      return (
        <Flag
          label="Live" text="as they come" value={query.live ?? false} onChange={(live) => set({ live })}
          tooltip="Rows appear as they come: of runs the latest call first, of breakers the trips."
        />
      );
    case 'oneRun':
      return (
        <Flag
          label="One run" text="no rows without a run" value={query.oneRun ?? false} onChange={(oneRun) => set({ oneRun })}
          tooltip="Without a run the answer is empty, and not of all runs."
        />
      );
    case 'kinds':
      return <Kinds value={query.kinds ?? ''} onChange={(kinds) => set({ kinds })} />;
    default: {
      const text = TEXTS[member] ?? { label: member, tooltip: '', placeholder: '' };
      const props = { ...text, value: String(query[member] ?? ''), onCommit: (v: string) => set({ [member]: v }), onEnter: run };
      const what = member === 'agent' ? 'agents' : member === 'run' ? 'runs' : undefined;
      return what ? <CompletedField {...props} datasource={datasource} what={what} /> : <TextField {...props} />;
    }
  }
}

interface FlagProps {
  label: string;
  tooltip: string;
  /** Stands beside the box. */
  text: string;
  value: boolean;
  onChange: (value: boolean) => void;
}

function Flag({ label, tooltip, text, value, onChange }: FlagProps) {
  return (
    <InlineField label={label} labelWidth={16} tooltip={tooltip}>
      <div style={{ display: 'flex', minHeight: 32, alignItems: 'center', paddingLeft: 8 }}>
        <Checkbox aria-label={label} label={text} value={value} onChange={(e) => onChange(e.currentTarget.checked)} />
      </div>
    </InlineField>
  );
}

function Kinds({ value, onChange }: { value: string; onChange: (kinds: string) => void }) {
  const id = useId(); // by itself every box would have the id of the field, and its label would be that of the first box
  const chosen = value.split(',').map((k) => k.trim());
  const toggled = (kind: string, on: boolean) =>
    ANNOTATION_KINDS.map((k) => k.value).filter((k) => (k === kind ? on : chosen.includes(k))).join();
  return (
    <InlineField label="Kinds" labelWidth={16} tooltip="None chosen is all." htmlFor={id}>
      <div
        id={id} role="group" aria-label="Kinds"
        style={{ display: 'flex', gap: 16, minHeight: 32, alignItems: 'center', paddingLeft: 8 }}
      >
        {ANNOTATION_KINDS.map((k) => (
          <Checkbox
            key={k.value} id={`${id}-${k.value}`} label={k.label} value={chosen.includes(k.value)}
            onChange={(e) => onChange(toggled(k.value, e.currentTarget.checked))}
          />
        ))}
      </div>
    </InlineField>
  );
}

/** What a panel asks. Only the members of the chosen type are shown; each change is sent at once. */
export function QueryEditor({ query: given, datasource, onChange, onRunQuery }: Props) {
  const query: FlyballQuery = { ...DEFAULT_QUERY, ...given, queryType: given.queryType || DEFAULT_QUERY.queryType };
  const send = (next: FlyballQuery) => {
    onChange(next);
    onRunQuery();
  };
  const type = typeOf(query);
  const members = (type?.members ?? []).filter((m) => !(m === 'tenant' && datasource?.tenant));
  return (
    <div data-testid="flyball-query">
      <ChoiceField
        label="Show" tooltip="What the panel is about." value={query.queryType ?? ''} choices={typesFor(datasource?.tenant)}
        onChange={(v) => send(withType(query, v))}
      />
      {!type && (
        <Alert severity="warning" title={`This version of the data source does not know the query type "${query.queryType}"`}>
          Choose another type, or update the plugin.
        </Alert>
      )}
      {members.map((m) => (
        <MemberField
          key={m} member={m} query={query} datasource={datasource} run={onRunQuery}
          set={(change) => send(withMember(query, change))}
        />
      ))}
    </div>
  );
}

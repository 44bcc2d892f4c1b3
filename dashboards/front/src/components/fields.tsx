import { Combobox, InlineField, Input, TextArea } from '@grafana/ui';
import React, { useEffect, useId, useRef, useState } from 'react';
import { type Completes, type Completion, type Offer } from '../completion';
import { MAX_LIMIT } from '../types';
import { type Choice, limitProblem } from '../queryTypes';

const LABEL = 16;
const WIDTH = 40;
const COMPLETE_AFTER_MS = 200;

interface TextProps {
  label: string;
  tooltip?: string;
  placeholder?: string;
  value: string;
  /** A value that differs from `value` was entered. */
  onCommit: (value: string) => void;
  /** Enter was pressed on a value that is already the query's. */
  onEnter?: () => void;
  /** Says what is wrong with a text; an invalid one is not committed. */
  problem?: (text: string) => string | undefined;
  /** Suggestions for what has been typed. */
  complete?: (prefix: string) => Promise<Offer[]>;
}

/** What is being typed, until it is committed; a value that changes from outside (Back, the URL) replaces it. */
function useDraft(value: string) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return [draft, setDraft] as const;
}

function useSuggestions(complete: TextProps['complete'], draft: string, focused: boolean): Offer[] {
  const [found, setFound] = useState<Offer[]>([]);
  const latest = useRef(complete);
  latest.current = complete;
  useEffect(() => {
    if (!focused || !latest.current) {
      return;
    }
    let current = true;
    const timer = setTimeout(() => void latest.current?.(draft).then((offers) => current && setFound(offers)), COMPLETE_AFTER_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [draft, focused]);
  return found;
}

/** One line of text: Enter and leaving the field commit it. */
export function TextField({ label, tooltip, placeholder, value, onCommit, onEnter, problem, complete }: TextProps) {
  const id = useId();
  const [draft, setDraft] = useDraft(value);
  const [focused, setFocused] = useState(false);
  const suggestions = useSuggestions(complete, draft, focused);
  const wrong = problem?.(draft);
  const commit = (enter: boolean) => {
    if (wrong) {
      return;
    }
    if (draft !== value) {
      onCommit(draft);
    } else if (enter) {
      onEnter?.();
    }
  };
  // The list stands beside the field: InlineField hands its own properties to what it holds.
  return (
    <>
      <InlineField label={label} labelWidth={LABEL} tooltip={tooltip} htmlFor={id} invalid={Boolean(wrong)} error={wrong}>
        <Input
          id={id} width={WIDTH} value={draft} placeholder={placeholder} autoComplete="off" aria-invalid={Boolean(wrong)}
          list={complete ? `${id}-list` : undefined}
          onChange={(e) => setDraft(e.currentTarget.value)}
          onFocus={() => setFocused(true)}
          onBlur={() => {
            setFocused(false);
            commit(false);
          }}
          onKeyDown={(e) => e.key === 'Enter' && commit(true)}
        />
      </InlineField>
      {complete && (
        <datalist id={`${id}-list`}>
          {suggestions.map((s) => (
            <option key={s.value} value={s.value} label={s.text === s.value ? undefined : s.text} />
          ))}
        </datalist>
      )}
    </>
  );
}

interface CompletedProps extends Omit<TextProps, 'complete'> {
  datasource: Completes;
  what: Completion;
}

/** A TextField with the names that the data source knows. */
export function CompletedField({ datasource, what, ...rest }: CompletedProps) {
  return <TextField {...rest} complete={(prefix) => datasource.complete(what, prefix)} />;
}

export function LimitField({ value, onCommit, onEnter }: { value?: number; onCommit: (n: number) => void; onEnter?: () => void }) {
  return (
    <TextField
      label="Limit" tooltip={`Most rows; empty means 200, at most ${MAX_LIMIT}.`} placeholder="200" value={value ? String(value) : ''}
      problem={limitProblem} onCommit={(s) => onCommit(Number(s))} onEnter={onEnter}
    />
  );
}

interface ChoiceProps {
  label: string;
  tooltip?: string;
  value: string;
  choices: Choice[];
  onChange: (value: string) => void;
  disabled?: boolean;
}

/** One of a few words. A value that is none of them is shown as it is, so that nothing hides what the query asks. */
export function ChoiceField({ label, tooltip, value, choices, onChange, disabled }: ChoiceProps) {
  const id = useId();
  const known = choices.some((c) => c.value === value);
  const options = known || value === '' ? choices : [...choices, { value, label: value }];
  return (
    <InlineField label={label} labelWidth={LABEL} tooltip={tooltip} htmlFor={id} disabled={disabled}>
      <Combobox
        id={id} width={WIDTH} options={options} value={known || value ? value : null} placeholder="choose" disabled={disabled}
        onChange={(o) => onChange(o.value)}
      />
    </InlineField>
  );
}

/** SQL of several lines: Ctrl+Enter and leaving the field commit it. */
export function SqlField({ value, onCommit, onEnter }: { value: string; onCommit: (sql: string) => void; onEnter?: () => void }) {
  const id = useId();
  const [draft, setDraft] = useDraft(value);
  const commit = (enter: boolean) => (draft !== value ? onCommit(draft) : enter && onEnter?.());
  return (
    <InlineField
      label="SQL" labelWidth={LABEL} htmlFor={id} grow
      tooltip={'A SELECT over Flyball\'s views. Macros: $__timeFilter(column), $__timeFrom, $__timeTo, $__interval, $__agent (the name ' +
        'in the field Agent). Ctrl+Enter runs it.'}
    >
      <TextArea
        id={id} rows={6} value={draft} spellCheck={false} style={{ fontFamily: 'monospace' }}
        placeholder="SELECT agent, count() FROM runs WHERE $__timeFilter(started) GROUP BY agent"
        onChange={(e) => setDraft(e.currentTarget.value)}
        onBlur={() => commit(false)}
        onKeyDown={(e) => e.key === 'Enter' && (e.ctrlKey || e.metaKey) && commit(true)}
      />
    </InlineField>
  );
}

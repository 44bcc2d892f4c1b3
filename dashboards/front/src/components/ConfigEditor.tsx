import { type DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Alert, FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea } from '@grafana/ui';
import React, { useId } from 'react';
import { type Choice } from '../queryTypes';
import { addrProblem, controlProblem, type SecretName, type Settings, withOption, withoutSecret, withRole, withSecret } from '../settings';
import { DEFAULT_ROLES, type FlyballOptions, type FlyballSecrets, type GrafanaRole, type Right } from '../types';
import { ChoiceField } from './fields';

type Props = DataSourcePluginOptionsEditorProps<FlyballOptions, FlyballSecrets>;

const LABEL = 20;
const WIDTH = 40;

const RIGHTS: Choice[] = [
  { value: 'none', label: 'none', description: 'sees nothing' },
  { value: 'see', label: 'see', description: 'sees everything, changes nothing' },
  { value: 'respond', label: 'respond', description: 'trips and resets breakers, answers gates, gives verdicts' },
  { value: 'bypass', label: 'bypass', description: 'responds, ends a bypass of enforcement, and adds exceptions' },
];

interface FieldProps {
  settings: Settings;
  change: (next: Settings) => void;
}

type TextOption = 'addr' | 'database' | 'user' | 'tenant' | 'controlUrl';

interface OptionProps extends FieldProps {
  name: TextOption;
  label: string;
  tooltip?: string;
  placeholder?: string;
  problem?: (value: string) => string | undefined;
}

function TextOptionField({ settings, change, name, label, tooltip, placeholder, problem }: OptionProps) {
  const id = useId();
  const value = settings.jsonData?.[name] ?? '';
  const wrong = problem?.(value);
  return (
    <InlineField
      label={label} labelWidth={LABEL} tooltip={tooltip} htmlFor={id} invalid={Boolean(wrong)} error={wrong} disabled={settings.readOnly}
    >
      <Input
        id={id} width={WIDTH} value={value} placeholder={placeholder} autoComplete="off" aria-invalid={Boolean(wrong)}
        disabled={settings.readOnly}
        onChange={(e) => change(withOption(settings, name, e.currentTarget.value))}
      />
    </InlineField>
  );
}

interface SwitchProps extends FieldProps {
  name: 'tls' | 'tlsSkipVerify';
  label: string;
  tooltip: string;
}

function SwitchField({ settings, change, name, label, tooltip }: SwitchProps) {
  const id = useId();
  return (
    <InlineField label={label} labelWidth={LABEL} tooltip={tooltip} htmlFor={id} disabled={settings.readOnly}>
      <InlineSwitch
        id={id} value={Boolean(settings.jsonData?.[name])} disabled={settings.readOnly}
        onChange={(e) => change(withOption(settings, name, e.currentTarget.checked))}
      />
    </InlineField>
  );
}

interface SecretProps extends FieldProps {
  name: SecretName;
  label: string;
  tooltip?: string;
  placeholder?: string;
}

function SecretField({ settings, change, name, label, tooltip, placeholder }: SecretProps) {
  const id = useId();
  const saved = Boolean(settings.secureJsonFields?.[name]);
  const shared = {
    id, placeholder, isConfigured: saved, disabled: settings.readOnly, value: settings.secureJsonData?.[name] ?? '',
    onReset: () => !settings.readOnly && change(withoutSecret(settings, name)),
  };
  return (
    <InlineField label={label} labelWidth={LABEL} tooltip={tooltip} htmlFor={id} disabled={settings.readOnly}>
      {name === 'caCert' ? (
        <SecretTextArea {...shared} cols={60} rows={4} onChange={(e) => change(withSecret(settings, name, e.currentTarget.value))} />
      ) : (
        <SecretInput
          {...shared} width={WIDTH} autoComplete="new-password"
          onChange={(e) => change(withSecret(settings, name, e.currentTarget.value))}
        />
      )}
    </InlineField>
  );
}

function RoleField({ settings, change, role }: FieldProps & { role: GrafanaRole }) {
  const right = settings.jsonData?.roles?.[role] ?? DEFAULT_ROLES[role];
  return (
    <ChoiceField
      label={role} tooltip={`What a user of the role ${role} may do here.`} value={right} choices={RIGHTS} disabled={settings.readOnly}
      onChange={(v) => change(withRole(settings, role, v as Right))}
    />
  );
}

/** The settings of a data source. A provisioned one is shown and cannot be edited. */
export function ConfigEditor({ options: settings, onOptionsChange: change }: Props) {
  const common = { settings, change };
  const tls = Boolean(settings.jsonData?.tls);
  return (
    <div data-testid="flyball-config">
      {settings.readOnly && <Alert severity="info" title="These settings come from a provisioning file: change them there" />}
      <FieldSet label="ClickHouse">
        <TextOptionField
          {...common} name="addr" label="Address" placeholder="127.0.0.1:8123" problem={addrProblem}
          tooltip="host:port of the HTTP interface of the ClickHouse that Flyball stores to."
        />
        <TextOptionField {...common} name="database" label="Database" placeholder="flyball" />
        <TextOptionField {...common} name="user" label="User" placeholder="default" tooltip="One who may only read Flyball's views." />
        <SecretField {...common} name="password" label="Password" />
        <TextOptionField
          {...common} name="tenant" label="Tenant" placeholder="all"
          tooltip="Bound to a tenant, the data source answers about this tenant only, and refuses SQL."
        />
        <SwitchField {...common} name="tls" label="TLS" tooltip="Talk to ClickHouse by HTTPS." />
        {tls && (
          <>
            <SwitchField
              {...common} name="tlsSkipVerify" label="Skip verification"
              tooltip="Take any certificate. Only for a trial: anyone between can read the password."
            />
            <SecretField
              {...common} name="caCert" label="CA certificate" placeholder="-----BEGIN CERTIFICATE-----"
              tooltip="PEM; empty: the authorities of the system. It has no effect without verification: enter one or skip."
            />
          </>
        )}
      </FieldSet>
      <FieldSet label="Actions">
        <TextOptionField
          {...common} name="controlUrl" label="Control API" placeholder="none: no actions" problem={controlProblem}
          tooltip="Address of Flyball's control API; panels trip, reset and answer through it."
        />
        <SecretField {...common} name="controlToken" label="Token" tooltip="Of an operator who may act on behalf of users." />
        <RoleField {...common} role="Viewer" />
        <RoleField {...common} role="Editor" />
        <RoleField {...common} role="Admin" />
        <ChoiceField
          label="SQL needs" tooltip="What a user must be allowed to do to run statements; none: nobody. Some panels are statements."
          value={settings.jsonData?.sql ?? 'see'} choices={RIGHTS} disabled={settings.readOnly}
          onChange={(v) => change(withOption(settings, 'sql', v as Right))}
        />
      </FieldSet>
    </div>
  );
}

import { type DataSourceSettings } from '@grafana/data';
import { type FlyballOptions, type FlyballSecrets, type GrafanaRole, type Right } from './types';

export type Settings = DataSourceSettings<FlyballOptions, FlyballSecrets>;
export type SecretName = keyof FlyballSecrets & string;

/** What is wrong with the address of ClickHouse; the backend takes host:port, and TLS is a switch. */
export function addrProblem(addr: string): string | undefined {
  if (addr === '' || addr.includes('$')) {
    return undefined;
  }
  if (/^[a-z]+:\/\//i.test(addr)) {
    return `"${addr}" has a scheme; write host:port, and switch TLS on for https`;
  }
  const port = /^(?:\[[0-9a-f:.%]+\]|[^\s:/@]+):(\d{1,5})$/i.exec(addr)?.[1];
  return port && Number(port) > 0 && Number(port) < 65536 ? undefined : `"${addr}" is not host:port, such as 127.0.0.1:8123`;
}

/** What is wrong with the address of the control API. */
export function controlProblem(url: string): string | undefined {
  if (url === '' || url.includes('$')) {
    return undefined;
  }
  const wrong = `"${url}" is no address, such as https://flyball.example:8080`;
  try {
    const u = new URL(url);
    if (u.username || u.password) {
      return 'the address holds a user or password; the token has a field of its own';
    }
    return /^https?:$/.test(u.protocol) ? undefined : wrong;
  } catch {
    return wrong;
  }
}

export function withOption<K extends keyof FlyballOptions>(settings: Settings, name: K, value: FlyballOptions[K]): Settings {
  return { ...settings, jsonData: { ...settings.jsonData, [name]: value } };
}

export function withRole(settings: Settings, role: GrafanaRole, right: Right): Settings {
  return withOption(settings, 'roles', { ...settings.jsonData?.roles, [role]: right });
}

export function withSecret(settings: Settings, name: SecretName, value: string): Settings {
  return { ...settings, secureJsonData: { ...settings.secureJsonData, [name]: value } };
}

/** The saved secret is forgotten when the settings are saved, unless another is typed. */
export function withoutSecret(settings: Settings, name: SecretName): Settings {
  return { ...withSecret(settings, name, ''), secureJsonFields: { ...settings.secureJsonFields, [name]: false } };
}

import { type Observable } from 'rxjs';

/** What became of a request, as Grafana's service for requests tells its query inspector. */
interface Answer {
  config?: { url?: string; headers?: Record<string, unknown> };
  /** False, or missing, of a request that failed. */
  ok?: boolean;
  data?: unknown;
}

/** The part of Grafana's service for requests that is no public interface; a Grafana without it shows its own sentence alone. */
export interface Told {
  getInspectorStream?: () => Observable<Answer | { response: Answer }>;
}

const ACTION = /\/api\/datasources\/uid\/[^/]+\/resources\/(breakers|gates|findings|exceptions|bypass)\/\w+(\?|$)/;

/**
 * Says what the data source answers to a button: what is held, until when and the undo, or why not. Grafana itself says "API call was
 * successful" or "An error has occurred": the answer of an action it takes for one of another site, because its address is absolute.
 * answered is called after each answer, also after one without a text.
 */
export function tellAnswers(service: Told | undefined, say: (done: boolean, text: string) => void, answered?: () => void): void {
  service?.getInspectorStream?.().subscribe((told) => {
    const { config, ok, data } = 'response' in told ? told.response : told;
    const message = (data as { message?: unknown } | undefined)?.message;
    if (!config?.headers?.['X-Grafana-Action'] || !ACTION.test(config.url ?? '')) {
      return;
    }
    if (typeof message === 'string' && message) {
      say(Boolean(ok), message);
    }
    answered?.();
  });
}

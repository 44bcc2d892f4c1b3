import { type DataSourceWithBackend } from '@grafana/runtime';
import { type FlyballOptions, type FlyballQuery } from './types';

/** What the backend completes by its first letters. */
export type Completion = 'agents' | 'runs';

/** One completion: what the field gets, and what a person reads. */
export interface Offer {
  value: string;
  text: string;
}

/** What the editors need of the data source. */
export interface Completes {
  /** The tenant that the data source is bound to; empty: all. */
  readonly tenant: string;
  /** Names of agents or ids of runs that begin with prefix; what is said beside an id names the run. None if the completion fails. */
  complete(what: Completion, prefix: string): Promise<Offer[]>;
}

/** The data source as its editors know it: the data source knows them, so they do not know its class. */
export type Source = DataSourceWithBackend<FlyballQuery, FlyballOptions> & Completes;

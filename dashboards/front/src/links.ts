import { type DataFrame, type DataLink, type DataQueryResponse } from '@grafana/data';
import { type FlyballQuery } from './types';

/** The value of the cell that is clicked. Explore fills it in. */
const VALUE = '${__value.raw}';

interface Lead {
  title: string;
  query: Partial<FlyballQuery>;
}

const OF_A_RUN: Lead[] = [
  { title: 'Findings of the run', query: { queryType: 'findings', run: VALUE, oneRun: true } },
  { title: 'Trace of the run', query: { queryType: 'trace', run: VALUE } },
  { title: 'What the run touched', query: { queryType: 'touched', run: VALUE } },
  { title: 'Score of the run', query: { queryType: 'score', run: VALUE } },
  { title: 'Calls of the run', query: { queryType: 'logs', run: VALUE } },
];

/** The questions that the fields of an answer lead to, by the name of the field. */
const LEADS: Record<string, Lead[]> = {
  run: OF_A_RUN,
  traceID: OF_A_RUN.filter((l) => l.query.queryType !== 'trace'),
  agent: [
    { title: 'Runs of the agent', query: { queryType: 'runs', agent: VALUE } },
    { title: 'Findings on the agent', query: { queryType: 'findings', agent: VALUE } },
  ],
  resource: [{ title: 'Who touched the resource', query: { queryType: 'resource', resource: VALUE } }],
};

/** The data source that answers: the one that was asked. */
export interface Asked {
  uid: string;
  name: string;
}

const linkTo = ({ title, query }: Lead, { uid, name }: Asked): DataLink<FlyballQuery> => (
  { title, url: '', internal: { datasourceUid: uid, datasourceName: name, query: { refId: 'A', ...query } } });

function linked(frame: DataFrame, asked: Asked): DataFrame {
  for (const field of frame.fields) {
    const leads = Object.hasOwn(LEADS, field.name) ? LEADS[field.name] : undefined;
    if (leads) {
      field.config = { ...field.config, links: leads.map((l) => linkTo(l, asked)) };
    }
  }
  return frame;
}

/** An answer whose runs, agents and resources open the next question. For Explore: dashboards have links of their own, to dashboards. */
export function withLinks(answer: DataQueryResponse, asked: Asked): DataQueryResponse {
  return { ...answer, data: answer.data.map((frame) => linked(frame as DataFrame, asked)) };
}

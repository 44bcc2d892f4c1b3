import { AppEvents, DataSourcePlugin } from '@grafana/data';
import { getAppEvents, getBackendSrv } from '@grafana/runtime';
import { tellAnswers, type Told } from './answers';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { FlyballDatasource } from './datasource';
import { keepFocus } from './focus';
import { type FlyballOptions, type FlyballQuery, type FlyballSecrets } from './types';

tellAnswers(getBackendSrv() as Told, (done, text) => {
  getAppEvents().publish({ type: (done ? AppEvents.alertSuccess : AppEvents.alertError).name, payload: ['Flyball', text] });
}, keepFocus(document));

export const plugin = new DataSourcePlugin<FlyballDatasource, FlyballQuery, FlyballOptions, FlyballSecrets>(FlyballDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);

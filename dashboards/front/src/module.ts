import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { FlyballDatasource } from './datasource';
import { type FlyballOptions, type FlyballQuery, type FlyballSecrets } from './types';

export const plugin = new DataSourcePlugin<FlyballDatasource, FlyballQuery, FlyballOptions, FlyballSecrets>(FlyballDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
